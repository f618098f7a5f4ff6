"""Every metric of the operator, declared in one place. The first four have the old service's names and buckets.

They are fed from finished Jobs, so the trainer's figures are here too and not in a process that nobody scrapes.
"""

from __future__ import annotations

import time
from collections import Counter as Counted
from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from retraining_operator.contract import Failure, Verdict
from retraining_operator.names import Task
from retraining_operator.objects.conditions import Status
from retraining_operator.objects.job import Job
from retraining_operator.objects.outcome import Outcome
from retraining_operator.objects.request import RetrainRequest
from retraining_operator.reason import Reason
from retraining_operator.triggers.trigger import Malformed
from retraining_operator.view import View

DURATION_BUCKETS_SECONDS = (5, 10, 30, 60, 120, 300, 600)
FAILURES = (
    *Failure,
    Reason.OUT_OF_MEMORY,
    Reason.DEADLINE_EXCEEDED,
    Reason.EVICTED,
    Reason.IMAGE_PULL_FAILED,
    Reason.CONTAINER_NOT_CREATED,
    Reason.UNSCHEDULABLE,
    Reason.JOB_FAILED,
    Reason.JOB_DELETED,
    Reason.JOB_REFUSED,
    Reason.JOB_NAME_TAKEN,
    Reason.INVALID_REQUEST,
)
"""Every reason without a verdict, so that a result document's own words make no label."""
OTHER = "Other"
VOCABULARY = frozenset(str(reason) for reason in (*Verdict, *Failure, *Reason))
ACCEPTED = "accepted"
DUPLICATE = "duplicate"
HOLDING = (
    Reason.SUSPENDED,
    Reason.PAUSED,
    Reason.BREAKER_OPEN,
    Reason.BUDGET_SPENT,
    Reason.COOLDOWN,
    Reason.QUEUED,
)
SUPPRESSING = (Reason.MERGED, Reason.REPLACED, Reason.FORBIDDEN)
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
        self._promotions = Counter("model_promotions", "Models that were promoted.", registry=self.registry)
        self._last = Gauge(
            "last_retraining_timestamp",
            "When a challenger was last judged, in seconds since 1970.",
            registry=self.registry,
        )
        self._judged_at = 0.0
        """The latest that was found or finished; a list that comes page by page never sets it back."""
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
        self._unrecorded = Gauge(
            "retraining_unrecorded",
            "Retrains that have ended and whose outcome is not in the database yet.",
            registry=self.registry,
        )
        self._decisions = Counter(
            "retraining_decisions",
            "Decisions of persons that were carried out or failed, by what became of the challenger.",
            ["reason"],
            registry=self.registry,
        )
        self._requests = Gauge(
            "retraining_requests",
            "RetrainRequests that are not done with, by state.",
            ["state"],
            registry=self.registry,
        )
        self._held = Gauge(
            "retraining_requests_held",
            "RetrainRequests that wait, by the reason that holds them back.",
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
            "retraining_triggers", "Kafka records handled, by outcome.", ["outcome"], registry=self.registry
        )
        self._lag = Gauge(
            "retraining_consumer_lag",
            "Records of a partition that are not handled yet.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self._records_held = Gauge(
            "retraining_consumer_held",
            "Whether no records are taken at present, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._oldest_record = Gauge(
            "retraining_oldest_record_age_seconds",
            "Age of the oldest record that is read and not handled yet, 0 where there is none.",
            registry=self.registry,
        )
        self._oldest_request = Gauge(
            "retraining_oldest_waiting_age_seconds",
            "Age of the oldest RetrainRequest without a Job, 0 where there is none.",
            registry=self.registry,
        )
        self._dead_letters = Gauge(
            "retraining_dead_letters_open",
            "Malformed records that the dead-letter topic has not taken yet.",
            registry=self.registry,
        )
        self._leader = Gauge(
            "retraining_leader", "Whether this replica is the one that acts: 1 or 0.", registry=self.registry
        )
        for outcome in (ACCEPTED, DUPLICATE, SKIPPED, *Malformed):
            self._triggers.labels(outcome)
        for reason in SUPPRESSING:
            self._suppressed.labels(reason)
        for reason in (*FAILURES, OTHER):
            self._failures.labels(reason)
        for state in ("waiting", "running", "awaiting_decision"):
            self._requests.labels(state)

    def seed(self, requests: Iterable[RetrainRequest]) -> None:
        """Set what an earlier process knew: when a challenger was last judged."""
        statuses = [request.status for request in requests if request.status.get("figures")]
        ends = [status["completionTime"] for status in statuses if status.get("completionTime")]
        if ends:
            self._judged(max(map(seconds, ends)))

    def _judged(self, at: float) -> None:
        self._judged_at = max(self._judged_at, at)
        self._last.set(self._judged_at)

    def task_finished(self, task: Task, outcome: Outcome, job: Job | None) -> None:
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

    def _run_finished(self, outcome: Outcome, job: Job | None) -> None:
        self._runs.inc()
        self._outcomes.labels(word(outcome.reason)).inc()
        if job and job.started_at and job.finished_at:
            self._duration.observe(max(0.0, seconds(job.finished_at) - seconds(job.started_at)))
        if outcome.result and outcome.result.figures:
            self._judged(outcome.result.finished_at.timestamp())

    def run_failed(self, reason: str) -> None:
        """Count one run that has ended without a verdict."""
        if reason not in SUPPRESSING:
            self._failures.labels(reason if reason in FAILURES else OTHER).inc()

    def _decision_finished(self, outcome: Outcome) -> None:
        withheld = outcome.result.withheld if outcome.result else None
        self._decisions.labels(withheld or word(outcome.reason)).inc()

    def leading(self, *, leading: bool) -> None:
        """Tell whether this replica is the one that acts."""
        self._leader.set(leading)

    def trigger_handled(self, outcome: str, records: int = 1) -> None:
        """Count records."""
        self._triggers.labels(outcome).inc(records)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Set how many records of a partition are not handled yet."""
        self._lag.labels(topic, str(partition)).set(records)

    def reported(self, status: Status) -> None:
        """Count a request whose stored status says that it was merged or refused."""
        reason = status["conditions"][0]["reason"]
        if reason in SUPPRESSING:
            self._suppressed.labels(reason).inc()

    def records_held(self, reason: str, *, holds: bool) -> None:
        """Set whether no records are taken for a reason."""
        self._records_held.labels(reason).set(holds)

    def oldest_record(self, born_ms: int | None) -> None:
        """Set the timestamp of the oldest record in hand; its age grows by itself."""
        self._oldest_record.set_function(lambda: age_seconds(None if born_ms is None else born_ms / 1000))

    def dead_letters_open(self, records: int) -> None:
        """Set how many malformed records wait for the dead-letter topic."""
        self._dead_letters.set(records)

    def standing(self, view: View, held: Mapping[str, Reason]) -> None:
        """Set how many requests wait and why, run, or await a person's decision."""
        for reason, count in (dict.fromkeys(HOLDING, 0) | Counted(held.values())).items():
            self._held.labels(reason).set(count)
        unfinished = [request for request in view.requests.values() if not request.finished]
        waiting = [request for request in unfinished if request.uid not in view.jobs[Task.TRAIN]]
        self._requests.labels("running").set(len(unfinished) - len(waiting))
        self._requests.labels("waiting").set(len(waiting))
        born = min((request.created_at for request in waiting), default=None)
        self._oldest_request.set_function(lambda: age_seconds(seconds(born) if born else None))
        self._unrecorded.set(sum(request.finished and not request.recorded for request in view.requests.values()))
        self._requests.labels("awaiting_decision").set(sum(request.awaiting for request in view.requests.values()))


def word(reason: str) -> str:
    """Give a reason as a label: one of our vocabulary, so that no document's own words make labels without end."""
    return reason if reason in VOCABULARY else OTHER


def seconds(timestamp: str) -> float:
    """Read a time as Kubernetes writes it."""
    return datetime.fromisoformat(timestamp).timestamp()


def age_seconds(born: float | None) -> float:
    """Give the age of what was born at a time in seconds since 1970; 0 for nothing, and for a clock that is ahead."""
    return 0.0 if born is None else max(0.0, time.time() - born)
