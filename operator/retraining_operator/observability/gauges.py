"""The values that the gauges show. They are computed at each scrape and never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WorkCounts:
    """RetrainRequests by state.

    Args:
        waiting: Requests without a Job.
        running: Requests whose Job runs.
        awaiting_approval: Requests whose challenger waits for approval.
        unrecorded: Finished requests whose outcome is not in the database yet.
        oldest_waiting_at: When the oldest request without a Job was created, in seconds since 1970
            (UTC); None if there is none.
        evaluated_at: When a challenger was last evaluated, in seconds since 1970 (UTC); 0 if never.
        held: Waiting requests by the reason that holds them.
    """

    waiting: int
    running: int
    awaiting_approval: int
    unrecorded: int
    oldest_waiting_at: float | None
    evaluated_at: float
    held: Mapping[str, int]


@dataclass(frozen=True)
class ConsumerState:
    """The state of the consumer at one moment, while its thread continues.

    Args:
        lags: Records that are not handled yet, by topic and assigned partition.
        oldest_record_at: Timestamp of the oldest record that is read and not handled yet, in
            seconds since 1970 (UTC); None if there is none.
        assigned_partitions: How many partitions are assigned.
        last_poll_at: When a poll last succeeded and all assigned partitions had answered, in
            seconds since 1970 (UTC); None if never.
        is_consuming: Whether every assigned partition is read.
    """

    lags: Mapping[tuple[str, int], int] = field(default_factory=dict)
    oldest_record_at: float | None = None
    assigned_partitions: int = 0
    last_poll_at: float | None = None
    is_consuming: bool = False


@dataclass(frozen=True)
class IntakeState:
    """The state of the intake.

    Args:
        backpressure: Whether there is backpressure, by reason.
        dead_letters_open: Malformed records that the dead-letter topic has not acknowledged.
    """

    backpressure: Mapping[str, bool] = field(default_factory=dict)
    dead_letters_open: int = 0


@dataclass(frozen=True)
class Sources:
    """Functions that compute the values. Each is called at every scrape.

    Args:
        leading: Whether this replica is the leader.
        acting: Whether this replica works: it is the leader and has listed all objects.
        work: Counts the requests.
        consumer: Returns the state of the consumer.
        intake: Returns the state of the intake.
    """

    leading: Callable[[], bool]
    acting: Callable[[], bool]
    work: Callable[[], WorkCounts]
    consumer: Callable[[], ConsumerState]
    intake: Callable[[], IntakeState]
