"""The counters count approvals, failures and outcomes."""

from datetime import datetime

from prometheus_client import generate_latest

from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.contract import Result
from retraining_operator.observability.metrics import Metrics


def shown(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_approval_counts_a_promotion_and_no_second_run(now: datetime) -> None:
    metrics = Metrics()
    for fields in ({"promoted": True, "version": 2}, {"withheld": "Rejected"}):
        result = Result(
            run_id="r",
            verdict="Promoted",
            reason="x",
            message="y",
            started_at=now,
            finished_at=now,
            **fields,
        )
        metrics.count_task(Task.DECIDE, JobOutcome("Promoted", "y", result), None)
    text = shown(metrics)
    assert 'retraining_approvals_total{reason="Promoted"} 1.0' in text
    assert 'retraining_approvals_total{reason="Rejected"} 1.0' in text
    assert "model_promotions_total 1.0" in text
    assert "retraining_runs_total 0.0" in text


def test_failures_are_counted_by_reasons_that_are_known_beforehand() -> None:
    metrics = Metrics()
    assert 'retraining_failures_total{reason="ImagePullFailed"} 0.0' in shown(metrics)
    for reason in ("OutOfMemory", "what a document says", "what another says", "Merged"):
        metrics.count_failed_run(reason)
    text = shown(metrics)
    assert 'retraining_failures_total{reason="OutOfMemory"} 1.0' in text
    assert 'retraining_failures_total{reason="Other"} 2.0' in text
    assert 'reason="what' not in text


def test_texts_of_a_result_document_become_no_labels() -> None:
    metrics = Metrics()
    for reason in ("Kept", "JobDeleted", "BadData", "what a document says", "what another says"):
        metrics.count_task(Task.TRAIN, JobOutcome(reason, "It says so."), None)
    outcomes = [
        line for line in shown(metrics).splitlines() if line.startswith("retraining_outcomes_total")
    ]
    assert sorted(outcomes) == [
        'retraining_outcomes_total{reason="BadData"} 1.0',
        'retraining_outcomes_total{reason="JobDeleted"} 1.0',
        'retraining_outcomes_total{reason="Kept"} 1.0',
        'retraining_outcomes_total{reason="Other"} 2.0',
    ]
