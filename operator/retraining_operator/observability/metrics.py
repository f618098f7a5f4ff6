"""The operator's counters and their registry."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from retraining_operator.api.conditions import ConditionType, Status, read_conditions
from retraining_operator.api.fields import parse_time
from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.trigger import Malformed
from retraining_operator.contract import Failure, Verdict
from retraining_operator.observability.gauges import Sources
from retraining_operator.observability.problems import ObjectProblem
from retraining_operator.observability.state_collector import StateCollector

DURATION_BUCKETS_SECONDS = (5, 10, 30, 60, 120, 300, 600)
FAILURES = (
    *Failure,
    ConditionReason.OUT_OF_MEMORY,
    ConditionReason.DEADLINE_EXCEEDED,
    ConditionReason.EVICTED,
    ConditionReason.IMAGE_PULL_FAILED,
    ConditionReason.CONTAINER_NOT_CREATED,
    ConditionReason.UNSCHEDULABLE,
    ConditionReason.POD_REFUSED,
    ConditionReason.JOB_FAILED,
    ConditionReason.JOB_DELETED,
    ConditionReason.JOB_REFUSED,
    ConditionReason.JOB_NAME_TAKEN,
    ConditionReason.INVALID_REQUEST,
    ConditionReason.REQUEST_NOT_ALLOWED,
)
"""Every reason without a verdict. The text of a result document never becomes a label."""
OTHER = "Other"
KNOWN_REASONS = frozenset(str(reason) for reason in (*Verdict, *Failure, *ConditionReason))
ACCEPTED = "accepted"
DUPLICATE = "duplicate"
SUPPRESSING = (ConditionReason.MERGED, ConditionReason.REPLACED, ConditionReason.FORBIDDEN)
SKIPPED = "skipped"
"""The record's offset is among the handled offsets."""


class Metrics:
    """The operator's metrics in their own registry.

    The counters are updated from finished Jobs, because nobody scrapes the trainer's own process.
    The first four metrics have the names and buckets of the service that the operator replaces.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = Counter("retraining_runs", "Retrains that have ended.", registry=self.registry)
        self._duration = Histogram(
            "retraining_duration_seconds",
            "Time from a Job's start to its end.",
            buckets=DURATION_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._promotions = Counter(
            "model_promotions", "Models that were promoted.", registry=self.registry
        )
        self._outcomes = self._counter(
            "retraining_outcomes", "Retrains that have ended, by verdict or failure."
        )
        self._failures = self._counter(
            "retraining_failures",
            "Retrains that have ended without a verdict, by reason. "
            "Retrains that never had a Job are included.",
        )
        self._approvals = self._counter(
            "retraining_approvals",
            "Approvals and rejections that were carried out or failed, by outcome.",
        )
        self._suppressed = self._counter(
            "retraining_suppressed",
            "RetrainRequests that will never have a Job of their own, by reason.",
        )
        self._triggers = self._counter(
            "retraining_triggers", "Kafka records handled, by outcome.", "outcome"
        )
        self._skipped_objects = self._counter(
            "retraining_skipped_objects",
            "Objects of the cluster that were ignored, by reason: unreadable (its fields cannot be "
            "read), foreign (it claims to belong to a RetrainRequest), defect (reading or planning "
            "it failed).",
        )
        self._skipped_batches = self._counter(
            "retraining_consumer_skipped_batches",
            "Batches of Kafka records that could not be decoded and were skipped, by fault.",
        )
        for outcome in (ACCEPTED, DUPLICATE, SKIPPED, *Malformed):
            self._triggers.labels(outcome)
        for problem in ObjectProblem:
            self._skipped_objects.labels(problem)
        for reason in SUPPRESSING:
            self._suppressed.labels(reason)
        for reason in (*FAILURES, OTHER):
            self._failures.labels(reason)

    def _counter(self, name: str, documentation: str, label: str = "reason") -> Counter:
        return Counter(name, documentation, [label], registry=self.registry)

    def export_gauges(self, sources: Sources) -> None:
        """Export the gauges of this process. They are computed at each scrape."""
        self.registry.register(StateCollector(sources))

    def count_task(self, task: Task, outcome: JobOutcome, job: Job | None) -> None:
        """Count one finished run, or one approval that was carried out, whose outcome is stored.

        Args:
            task: The task that has ended: a run or an approval.
            outcome: How it ended.
            job: Its Job, or None if the Job was deleted.
        """
        if task is Task.TRAIN:
            self._count_run(outcome, job)
        else:
            withheld = outcome.result.withheld if outcome.result else None
            self._approvals.labels(withheld or to_label(outcome.reason)).inc()
        if outcome.result and outcome.result.promoted:
            self._promotions.inc()

    def _count_run(self, outcome: JobOutcome, job: Job | None) -> None:
        self._runs.inc()
        self._outcomes.labels(to_label(outcome.reason)).inc()
        started_at = parse_time(job.started_at) if job else None
        finished_at = parse_time(job.finished_at) if job else None
        if started_at and finished_at:
            self._duration.observe(max(0.0, (finished_at - started_at).total_seconds()))

    def count_failed_run(self, reason: str) -> None:
        """Count one run that has ended without a verdict."""
        if reason not in SUPPRESSING:
            self._failures.labels(reason if reason in FAILURES else OTHER).inc()

    def count_records(self, outcome: str, records: int = 1) -> None:
        """Count handled Kafka records.

        Args:
            outcome: ACCEPTED, DUPLICATE, SKIPPED or a kind of malformed record.
            records: How many records had this outcome.
        """
        self._triggers.labels(outcome).inc(records)

    def export_skipped_batches(self, faults: Iterable[str]) -> None:
        """Export the counter of skipped batches with a zero for each fault, which alerts need."""
        for fault in faults:
            self._skipped_batches.labels(fault)

    def count_skipped_object(self, problem: ObjectProblem) -> None:
        """Count an object of the cluster that was ignored."""
        self._skipped_objects.labels(problem).inc()

    def count_skipped_batch(self, fault: str) -> None:
        """Count a batch that could not be decoded."""
        self._skipped_batches.labels(fault).inc()

    def count_suppressed(self, status: Status) -> None:
        """Count a request whose stored status means that it was merged, replaced or refused."""
        reason = read_conditions(status)[ConditionType.SUCCEEDED].reason
        if reason in SUPPRESSING:
            self._suppressed.labels(reason).inc()


def to_label(reason: str) -> str:
    """Return a reason as a label value: itself if it is known, else `Other`.

    A result document may contain any text, and each label value is a series of its own.
    """
    return reason if reason in KNOWN_REASONS else OTHER
