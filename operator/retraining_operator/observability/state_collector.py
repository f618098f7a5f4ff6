"""Collects the gauges at each scrape from the state of this process.

Nothing is stored between two scrapes, so that deleted objects are not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from retraining_operator.api.reasons import ConditionReason
from retraining_operator.observability.gauges import (
    ConsumerState,
    IntakeState,
    Sources,
    WorkCounts,
)

HOLDING = (
    ConditionReason.SUSPENDED,
    ConditionReason.PAUSED,
    ConditionReason.BREAKER_OPEN,
    ConditionReason.BUDGET_SPENT,
    ConditionReason.COOLDOWN,
    ConditionReason.QUEUED,
)
"""Reasons that hold a request. Each always has a series, so that an alert can compare it with 0."""


class StateCollector(Collector):
    """Collects the gauges of one process.

    Args:
        sources: Compute the values.
        clock: Returns the time in seconds since 1970 (UTC).
    """

    def __init__(self, sources: Sources, clock: Callable[[], float] = time.time) -> None:
        self._sources = sources
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Compute the gauges. Only the leader exports those about its work."""
        leading = self._sources.leading()
        yield build_gauge(
            "retraining_leader", "Whether this replica is the leader: 1 or 0.", leading
        )
        if leading and self._sources.acting():
            now = self._clock()
            yield from build_work_gauges(self._sources.work(), now)
            yield from build_consumer_gauges(self._sources.consumer(), now)
            yield from build_intake_gauges(self._sources.intake())


def build_work_gauges(counts: WorkCounts, now: float) -> Iterator[Metric]:
    """Compute the gauges about RetrainRequests.

    Args:
        counts: The requests by state.
        now: The time in seconds since 1970 (UTC).

    Yields:
        The gauges.
    """
    yield build_gauge(
        "last_retraining_timestamp",
        "When a challenger was last evaluated, in seconds since 1970; 0 if none is known.",
        counts.evaluated_at,
    )
    yield build_gauge(
        "retraining_unrecorded",
        "Retrains that have ended and whose outcome is not in the database yet.",
        counts.unrecorded,
    )
    requests: dict[tuple[str, ...], float] = {
        ("waiting",): counts.waiting,
        ("running",): counts.running,
        ("awaiting_approval",): counts.awaiting_approval,
    }
    yield build_labelled_gauge(
        "retraining_requests",
        "RetrainRequests that are not finished, by state.",
        ["state"],
        requests,
    )
    held = dict.fromkeys(HOLDING, 0) | dict(counts.held)
    yield build_labelled_gauge(
        "retraining_requests_held",
        "Waiting RetrainRequests by the reason that holds them.",
        ["reason"],
        {(str(reason),): count for reason, count in held.items()},
    )
    yield build_gauge(
        "retraining_oldest_waiting_age_seconds",
        "Age of the oldest RetrainRequest without a Job, 0 if there is none.",
        compute_age(counts.oldest_waiting_at, now),
    )


def build_consumer_gauges(state: ConsumerState, now: float) -> Iterator[Metric]:
    """Compute the gauges about the consumer.

    Args:
        state: The state of the consumer.
        now: The time in seconds since 1970 (UTC).

    Yields:
        The gauges.
    """
    yield build_labelled_gauge(
        "retraining_consumer_lag",
        "Records of a partition that are not handled yet.",
        ["topic", "partition"],
        {(topic, str(partition)): records for (topic, partition), records in state.lags.items()},
    )
    yield build_gauge(
        "retraining_consumer_assigned_partitions",
        "Partitions of the topic that this consumer has.",
        state.assigned_partitions,
    )
    yield build_gauge(
        "retraining_consumer_last_poll_timestamp_seconds",
        "When a poll last succeeded, in seconds since 1970; 0 if none has.",
        state.last_poll_at or 0.0,
    )
    yield build_gauge(
        "retraining_consumer_consuming",
        "Whether every assigned partition is read: 1 or 0.",
        state.is_consuming,
    )
    yield build_gauge(
        "retraining_oldest_record_age_seconds",
        "Age of the oldest record that is read and not handled yet, 0 if there is none.",
        compute_age(state.oldest_record_at, now),
    )


def build_intake_gauges(state: IntakeState) -> Iterator[Metric]:
    """Compute the gauges about backpressure and dead letters."""
    yield build_labelled_gauge(
        "retraining_consumer_held",
        "Whether there is backpressure, so that no records are taken: 1 or 0, by reason.",
        ["reason"],
        {(str(reason),): is_active for reason, is_active in state.backpressure.items()},
    )
    yield build_gauge(
        "retraining_dead_letters_open",
        "Malformed records that the dead-letter topic has not acknowledged yet.",
        state.dead_letters_open,
    )


def build_gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    """Build a gauge without labels.

    Args:
        name: Name of the metric.
        documentation: Its help text.
        value: Its value.

    Returns:
        The gauge.
    """
    return GaugeMetricFamily(name, documentation, value=float(value))


def build_labelled_gauge(
    name: str, documentation: str, labels: list[str], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    """Build a gauge with labels.

    Args:
        name: Name of the metric.
        documentation: Its help text.
        labels: Names of the labels.
        values: The values by the labels' values, in the order of their names.

    Returns:
        The gauge.
    """
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, float(value))
    return family


def compute_age(created_at: float | None, now: float) -> float:
    """Compute an age in seconds.

    Args:
        created_at: In seconds since 1970 (UTC), or None.
        now: The time in seconds since 1970 (UTC).

    Returns:
        The age; 0 if `created_at` is None or, because clocks differ, in the future.
    """
    return 0.0 if created_at is None else max(0.0, now - created_at)
