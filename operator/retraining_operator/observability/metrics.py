"""The operator's counters and its registry. `gauges` declares what is computed at each scrape.

The counters are fed from finished Jobs, so the trainer's figures are here too and not in a process
that nobody scrapes. The first four metrics have the old service's names and buckets.
"""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from retraining_operator.api.conditions import Status
from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.trigger import Malformed
from retraining_operator.contract import Failure, Verdict
from retraining_operator.kafka.record_batch import Fault
from retraining_operator.observability.gauges import Sources, StateCollector

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
)
"""Every reason without a verdict, so that a result document's own words make no label."""
OTHER = "Other"
VOCABULARY = frozenset(str(reason) for reason in (*Verdict, *Failure, *ConditionReason))
ACCEPTED = "accepted"
DUPLICATE = "duplicate"
SUPPRESSING = (ConditionReason.MERGED, ConditionReason.REPLACED, ConditionReason.FORBIDDEN)
SKIPPED = "skipped"
"""At or below the highest offset that the ledger knows as handled."""


class Metrics:
    """The operator's metrics in a registry of their own."""

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
        self._outcomes = Counter(
            "retraining_outcomes",
            "Retrains that have ended, by verdict or failure.",
            ["reason"],
            registry=self.registry,
        )
        self._failures = Counter(
            "retraining_failures",
            "Retrains that have ended without a verdict, by reason; those that never had a Job are among them.",
            ["reason"],
            registry=self.registry,
        )
        self._decisions = Counter(
            "retraining_decisions",
            "Decisions of persons that were carried out or failed, by what became of the challenger.",
            ["reason"],
            registry=self.registry,
        )
        self._suppressed = Counter(
            "retraining_suppressed",
            "RetrainRequests that will never have a Job of their own, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._triggers = Counter(
            "retraining_triggers",
            "Kafka records handled, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self._skipped_batches = Counter(
            "retraining_consumer_skipped_batches",
            "Batches of Kafka records that could not be decoded and were skipped, by fault.",
            ["reason"],
            registry=self.registry,
        )
        for outcome in (ACCEPTED, DUPLICATE, SKIPPED, *Malformed):
            self._triggers.labels(outcome)
        for reason in SUPPRESSING:
            self._suppressed.labels(reason)
        for reason in (*FAILURES, OTHER):
            self._failures.labels(reason)

    def watch(self, sources: Sources) -> None:
        """Export the gauges of this process, computed at each scrape."""
        self.registry.register(StateCollector(sources))

    def task_finished(self, task: Task, outcome: JobOutcome, job: Job | None) -> None:
        """Count one run, or one decision that was carried out, whose outcome is stored.

        Args:
            task: which of the two.
            outcome: how it ended.
            job: the Job behind it; None where that was deleted.
        """
        if task is Task.TRAIN:
            self._run_finished(outcome, job)
        else:
            self._decision_finished(outcome)
        if outcome.result and outcome.result.promoted:
            self._promotions.inc()

    def _run_finished(self, outcome: JobOutcome, job: Job | None) -> None:
        self._runs.inc()
        self._outcomes.labels(word(outcome.reason)).inc()
        if job and job.started_at and job.finished_at:
            self._duration.observe(max(0.0, seconds(job.finished_at) - seconds(job.started_at)))

    def run_failed(self, reason: str) -> None:
        """Count one run that has ended without a verdict."""
        if reason not in SUPPRESSING:
            self._failures.labels(reason if reason in FAILURES else OTHER).inc()

    def _decision_finished(self, outcome: JobOutcome) -> None:
        withheld = outcome.result.withheld if outcome.result else None
        self._decisions.labels(withheld or word(outcome.reason)).inc()

    def trigger_handled(self, outcome: str, records: int = 1) -> None:
        """Count records."""
        self._triggers.labels(outcome).inc(records)

    def consuming(self) -> None:
        """Export the counter of skipped batches from now on: before its first one, an alert needs its zeros."""
        for fault in Fault:
            self._skipped_batches.labels(fault)

    def batch_skipped(self, fault: Fault) -> None:
        """Count a batch that could not be decoded."""
        self._skipped_batches.labels(fault).inc()

    def reported(self, status: Status) -> None:
        """Count a request whose stored status says that it was merged or refused."""
        reason = status["conditions"][0]["reason"]
        if reason in SUPPRESSING:
            self._suppressed.labels(reason).inc()


def word(reason: str) -> str:
    """Give a reason as a label: one of our vocabulary, so that no document's own words make labels without end."""
    return reason if reason in VOCABULARY else OTHER


def seconds(timestamp: str) -> float:
    """Read a time as Kubernetes writes it."""
    return datetime.fromisoformat(timestamp).timestamp()
