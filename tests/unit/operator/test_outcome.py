"""How a finished Job ended: each outcome has a reason and says what to do."""

from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.outcome import read_outcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.pod import read_attempt
from retraining_operator.api.request import read_request
from retraining_operator.contract import Verdict
from tests.unit.operator.attempts import Build, document, finished_job, pod


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"containerStatuses": [{"name": "trainer", "state": {"running": {}}}]},
        {"containerStatuses": [{"name": "sidecar", "state": {"terminated": {"exitCode": 0}}}]},
    ],
    ids=["no container yet", "it still runs", "another container ended"],
)
def test_pod_whose_trainer_runs_has_no_attempt(status: dict[str, Any]) -> None:
    assert read_attempt({"metadata": {}, "status": status}) is None


def test_verdict_comes_from_the_result_document(
    job_body: Build, request_body: Build, now: datetime
) -> None:
    text = document(
        now, verdict="Promoted", promoted=True, version=4, champion_version=3, n_samples=600
    )
    job = finished_job(job_body(end="Complete", succeeded=1))
    outcome = read_outcome(job, [pod(0, text, "Completed")])
    status = build_finished_status(read_request(request_body()), outcome, now, job)
    assert outcome.reason == Verdict.PROMOTED
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [
        ("Succeeded", "True", "Promoted"),
        ("Promoted", "True", "Promoted"),
        ("Recorded", "Unknown", "Pending"),
    ]
    assert (
        status["version"],
        status["championVersion"],
        status["samples"],
        status["attempts"],
    ) == (4, 3, 600, 1)


def test_first_model_of_an_earlier_trainer_reads_as_one_of_today(
    job_body: Build, request_body: Build, now: datetime
) -> None:
    text = document(now, verdict="NoChampion", reason="no_champion", promoted=True, version=1)
    job = finished_job(job_body(end="Complete", succeeded=1))
    outcome = read_outcome(job, [pod(0, text, "Completed")])
    status = build_finished_status(read_request(request_body()), outcome, now, job)
    assert (outcome.reason, status["verdict"]) == ("FirstModel", "FirstModel")
    assert [c["reason"] for c in status["conditions"]][:2] == ["FirstModel", "FirstModel"]


def test_pods_of_the_other_job_are_ignored(job_body: Build, now: datetime) -> None:
    other = pod(0, document(now, verdict="Promoted", promoted=True), job="decision-of-first")
    assert read_outcome(finished_job(job_body(end="Complete")), [other]).reason == "ResultLost"


def test_kept_is_a_success_that_promoted_nothing(
    job_body: Build, request_body: Build, now: datetime
) -> None:
    job = finished_job(job_body(end="Complete", succeeded=1))
    outcome = read_outcome(job, [pod(0, document(now, verdict="Kept"))])
    status = build_finished_status(read_request(request_body()), outcome, now, job)
    assert [c["status"] for c in status["conditions"]][:2] == ["True", "False"]


def test_lost_result_is_no_failure_and_its_message_says_where_the_verdict_is(
    job_body: Build, request_body: Build, now: datetime
) -> None:
    job = finished_job(job_body(end="Complete", succeeded=1))
    outcome = read_outcome(job, [])
    status = build_finished_status(read_request(request_body()), outcome, now, job)
    assert [c["status"] for c in status["conditions"]][:2] == ["True", "Unknown"]
    assert "uid-of-first" in outcome.message
