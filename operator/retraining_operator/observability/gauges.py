"""Gauges that are computed at each scrape from the state of the process that is asked.

Nothing is stored between two scrapes, so what is gone is not counted. A replica that does not lead
exports `retraining_leader` alone: the figures about the work are the leader's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from retraining_operator.api.reasons import ConditionReason

HOLDING = (
    ConditionReason.SUSPENDED,
    ConditionReason.PAUSED,
    ConditionReason.BREAKER_OPEN,
    ConditionReason.BUDGET_SPENT,
    ConditionReason.COOLDOWN,
    ConditionReason.QUEUED,
)
"""Reasons that hold a request back: each has a series at all times, so that an alert can compare it with 0."""


@dataclass(frozen=True)
class WorkCounts:
    """RetrainRequests by state. Times are in seconds since 1970."""

    waiting: int
    """Without a Job."""
    running: int
    awaiting_decision: int
    unrecorded: int
    """Finished, and the outcome is not in the database yet."""
    oldest_waiting_at: float | None
    """When the oldest one without a Job was created."""
    judged_at: float
    """When a challenger was last judged; 0 if none is known."""
    held: Mapping[str, int]
    """Those that wait, by the reason that holds them back."""


@dataclass(frozen=True)
class ConsumerState:
    """The consumer as it is at the moment; a value, since its thread goes on meanwhile."""

    lags: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """Records that are not handled yet, by topic and partition; only partitions that are assigned."""
    oldest_record_at: float | None = None
    """The timestamp of the oldest record in hand, in seconds since 1970."""
    assigned_partitions: int = 0
    last_poll_at: float | None = None
    """When a poll last succeeded with all assigned partitions answered, in seconds since 1970; None if none has."""
    is_consuming: bool = False
    """Whether every assigned partition is read."""


@dataclass(frozen=True)
class IntakeState:
    """Why records are not taken, and what waits for the dead-letter topic."""

    held: Mapping[str, bool] = field(default_factory=dict)
    """Whether each of the reasons holds."""
    dead_letters_open: int = 0


@dataclass(frozen=True)
class Sources:
    """Where the figures come from; each is asked at every scrape."""

    leading: Callable[[], bool]
    acting: Callable[[], bool]
    """Whether this replica does the work: it leads and has listed what there is."""
    work: Callable[[], WorkCounts]
    consumer: Callable[[], ConsumerState]
    intake: Callable[[], IntakeState]


class StateCollector(Collector):
    """Collects the gauges of one process.

    Args:
        sources: the parts of the process that are asked.
        clock: the time in seconds since 1970.
    """

    def __init__(self, sources: Sources, clock: Callable[[], float] = time.time) -> None:
        self._sources = sources
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Compute every gauge."""
        leading = self._sources.leading()
        yield gauge(
            "retraining_leader", "Whether this replica is the one that acts: 1 or 0.", leading
        )
        if leading and self._sources.acting():
            now = self._clock()
            yield from work_gauges(self._sources.work(), now)
            yield from consumer_gauges(self._sources.consumer(), now)
            yield from intake_gauges(self._sources.intake())


def work_gauges(counts: WorkCounts, now: float) -> Iterator[Metric]:
    """Compute the gauges about RetrainRequests.

    Args:
        counts: the requests by state.
        now: the time in seconds since 1970.
    """
    yield gauge(
        "last_retraining_timestamp",
        "When a challenger was last judged, in seconds since 1970; 0 if none is known.",
        counts.judged_at,
    )
    yield gauge(
        "retraining_unrecorded",
        "Retrains that have ended and whose outcome is not in the database yet.",
        counts.unrecorded,
    )
    requests: dict[tuple[str, ...], float] = {
        ("waiting",): counts.waiting,
        ("running",): counts.running,
        ("awaiting_decision",): counts.awaiting_decision,
    }
    yield labelled(
        "retraining_requests",
        "RetrainRequests that are not done with, by state.",
        ["state"],
        requests,
    )
    held = dict.fromkeys(HOLDING, 0) | dict(counts.held)
    yield labelled(
        "retraining_requests_held",
        "RetrainRequests that wait, by the reason that holds them back.",
        ["reason"],
        {(str(reason),): count for reason, count in held.items()},
    )
    yield gauge(
        "retraining_oldest_waiting_age_seconds",
        "Age of the oldest RetrainRequest without a Job, 0 if there is none.",
        age_seconds(counts.oldest_waiting_at, now),
    )


def consumer_gauges(state: ConsumerState, now: float) -> Iterator[Metric]:
    """Compute the gauges about the consumer.

    Args:
        state: the consumer as it is.
        now: the time in seconds since 1970.
    """
    yield labelled(
        "retraining_consumer_lag",
        "Records of a partition that are not handled yet.",
        ["topic", "partition"],
        {(topic, str(partition)): records for (topic, partition), records in state.lags.items()},
    )
    yield gauge(
        "retraining_consumer_assigned_partitions",
        "Partitions of the topic that this consumer has.",
        state.assigned_partitions,
    )
    yield gauge(
        "retraining_consumer_last_poll_timestamp_seconds",
        "When a poll last succeeded, in seconds since 1970; 0 if none has.",
        state.last_poll_at or 0.0,
    )
    yield gauge(
        "retraining_consumer_consuming",
        "Whether every assigned partition is read: 1 or 0.",
        state.is_consuming,
    )
    yield gauge(
        "retraining_oldest_record_age_seconds",
        "Age of the oldest record that is read and not handled yet, 0 if there is none.",
        age_seconds(state.oldest_record_at, now),
    )


def intake_gauges(state: IntakeState) -> Iterator[Metric]:
    """Compute the gauges about records that are not taken."""
    yield labelled(
        "retraining_consumer_held",
        "Whether no records are taken at present, by reason.",
        ["reason"],
        {(str(reason),): holds for reason, holds in state.held.items()},
    )
    yield gauge(
        "retraining_dead_letters_open",
        "Malformed records that the dead-letter topic has not taken yet.",
        state.dead_letters_open,
    )


def gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    """Build a gauge without labels.

    Args:
        name: the metric's name.
        documentation: its help text.
        value: its value.
    """
    return GaugeMetricFamily(name, documentation, value=float(value))


def labelled(
    name: str, documentation: str, labels: list[str], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    """Build a gauge with labels.

    Args:
        name: the metric's name.
        documentation: its help text.
        labels: the names of its labels.
        values: by the labels' values, in the order of their names.
    """
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, float(value))
    return family


def age_seconds(born: float | None, now: float) -> float:
    """Compute an age in seconds.

    Args:
        born: in seconds since 1970; None for nothing, which has the age 0.
        now: in seconds since 1970. If the clock of `born` is ahead, the age is 0.
    """
    return 0.0 if born is None else max(0.0, now - born)
