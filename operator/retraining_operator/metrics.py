"""Every metric of the operator, declared in one place. The first four have the old service's names and buckets.

They are fed from finished Jobs, so the trainer's figures are here too and not in a process that nobody scrapes.
"""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from retraining_operator.conditions import Status
from retraining_operator.job import Job
from retraining_operator.names import Task
from retraining_operator.outcome import Outcome
from retraining_operator.reason import Reason
from retraining_operator.request import RetrainRequest
from retraining_operator.trigger import Malformed
from retraining_operator.view import View

DURATION_BUCKETS_SECONDS = (5, 10, 30, 60, 120, 300, 600)
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
        self._outcomes = Counter(
            "retraining_outcomes",
            "Retrains that have ended, by verdict or failure.",
            ["reason"],
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
            "Records behind the committed offset.",
            ["topic", "partition"],
            registry=self.registry,
        )
        for outcome in (ACCEPTED, DUPLICATE, *Malformed):
            self._triggers.labels(outcome)
        for reason in SUPPRESSING:
            self._suppressed.labels(reason)
        for state in ("waiting", "running", "awaiting_decision"):
            self._requests.labels(state)

    def seed(self, requests: Iterable[RetrainRequest]) -> None:
        """Set what an earlier process knew: when a challenger was last judged."""
        ends = [request.status["completionTime"] for request in requests if request.status.get("figures")]
        if ends:
            self._last.set(max(map(seconds, ends)))

    def run_finished(self, outcome: Outcome, job: Job) -> None:
        """Count one run whose outcome is stored."""
        self._runs.inc()
        self._outcomes.labels(outcome.reason).inc()
        if job.started_at and job.finished_at:
            self._duration.observe(max(0.0, seconds(job.finished_at) - seconds(job.started_at)))
        self._count_promotion(outcome)
        if outcome.result and outcome.result.figures:
            self._last.set(outcome.result.finished_at.timestamp())

    def decision_finished(self, outcome: Outcome) -> None:
        """Count one decision whose outcome is stored."""
        withheld = outcome.result.withheld if outcome.result else None
        self._decisions.labels(withheld or outcome.reason).inc()
        self._count_promotion(outcome)

    def _count_promotion(self, outcome: Outcome) -> None:
        if outcome.result and outcome.result.promoted:
            self._promotions.inc()

    def trigger_handled(self, outcome: str) -> None:
        """Count one record."""
        self._triggers.labels(outcome).inc()

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Set how many records of a partition are not handled yet."""
        self._lag.labels(topic, str(partition)).set(records)

    def reported(self, status: Status) -> None:
        """Count a request whose stored status says that it was merged or refused."""
        reason = status["conditions"][0]["reason"]
        if reason in SUPPRESSING:
            self._suppressed.labels(reason).inc()

    def standing(self, view: View, held: Mapping[str, Reason]) -> None:
        """Set how many requests wait and why, run, or await a person's decision."""
        for reason, count in (dict.fromkeys(HOLDING, 0) | Counted(held.values())).items():
            self._held.labels(reason).set(count)
        unfinished = [request for request in view.requests.values() if not request.finished]
        running = sum(request.uid in view.jobs[Task.TRAIN] for request in unfinished)
        self._requests.labels("running").set(running)
        self._requests.labels("waiting").set(len(unfinished) - running)
        self._requests.labels("awaiting_decision").set(sum(request.awaiting for request in view.requests.values()))


def seconds(timestamp: str) -> float:
    """Read a time as Kubernetes writes it."""
    return datetime.fromisoformat(timestamp).timestamp()
