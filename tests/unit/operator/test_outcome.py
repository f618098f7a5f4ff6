"""How a finished Job ended: each outcome has a reason and says what to do."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.job import Job, read_job
from retraining_operator.api.outcome import is_decisive, read_outcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.pod import Attempt, read_attempt
from retraining_operator.api.pod_problems import PodProblem
from retraining_operator.api.request import read_request
from retraining_operator.contract import Result, Verdict

Build = Callable[..., dict[str, Any]]


def document(now: datetime, **fields: Any) -> str:
    return Result(
        **{
            "run_id": "r",
            "reason": "x",
            "message": "Said why.",
            "started_at": now,
            "finished_at": now,
            **fields,
        }
    ).document()


def pod(
    code: int,
    message: str = "",
    reason: str = "Error",
    *,
    at: str = "2026-03-01T11:04:00Z",
    job: str = "job-of-first",
    taken: str = "",
) -> Attempt:
    end = {"exitCode": code, "reason": reason, "message": message, "finishedAt": at}
    owner = {"controller": True, "uid": f"uid-of-{job}"}
    conditions = [{"type": "DisruptionTarget", "status": "True", "reason": taken}] if taken else []
    status = {
        "conditions": conditions,
        "containerStatuses": [{"name": "trainer", "state": {"terminated": end}}],
    }
    attempt = read_attempt(
        {"metadata": {"name": f"{job}-x", "ownerReferences": [owner]}, "status": status}
    )
    assert attempt is not None
    return attempt


def finished_job(body: dict[str, Any]) -> Job:
    job = read_job(body)
    assert job is not None
    return job


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


def test_lost_result_is_no_failure_and_says_where_the_verdict_is(
    job_body: Build, request_body: Build, now: datetime
) -> None:
    job = finished_job(job_body(end="Complete", succeeded=1))
    outcome = read_outcome(job, [])
    status = build_finished_status(read_request(request_body()), outcome, now, job)
    assert [c["status"] for c in status["conditions"]][:2] == ["True", "Unknown"]
    assert "uid-of-first" in outcome.message


@pytest.mark.parametrize(
    ("pods", "job_reason", "reason", "hint"),
    [
        pytest.param(
            [pod(137, reason="OOMKilled")],
            "BackoffLimitExceeded",
            "OutOfMemory",
            "limits.memory",
            id="memory",
        ),
        pytest.param(
            [],
            "DeadlineExceeded",
            "DeadlineExceeded",
            "of 3,600 s and was ended. Raise spec.d",
            id="deadline",
        ),
        pytest.param(
            [pod(75), pod(143, at="2026-03-01T11:05:00Z")],
            "DeadlineExceeded",
            "DeadlineExceeded",
            "An earlier pod failed: The trainer ended with exit code 75",
            id="deadline after a failed pod",
        ),
        pytest.param(
            [pod(137, taken="TerminationByKubelet")],
            "DeadlineExceeded",
            "Evicted",
            "Kubernetes removed the pod job-of-first-x (TerminationByKubelet)",
            id="deadline after an eviction",
        ),
        pytest.param(
            [pod(65)], "PodFailurePolicy", "BadData", "Correct the events", id="data, no document"
        ),
        pytest.param(
            [pod(137)], "BackoffLimitExceeded", "JobFailed", "(SIGKILL: its node", id="killed"
        ),
        pytest.param(
            [pod(78)],
            "PodFailurePolicy",
            "BadConfiguration",
            "Correct the setting or the table",
            id="configuration, no document",
        ),
        pytest.param(
            [pod(75)],
            "BackoffLimitExceeded",
            "DependencyUnavailable",
            "once the database and Redis",
            id="dependency, no document",
        ),
        pytest.param([pod(1)], "BackoffLimitExceeded", "JobFailed", "exit code 1", id="a crash"),
        pytest.param(
            [], "BackoffLimitExceeded", "JobFailed", "BackoffLimitExceeded", id="no pod is left"
        ),
        pytest.param(
            [pod(1, "Killed")],
            "BackoffLimitExceeded",
            "JobFailed",
            "exit code 1",
            id="a foreign document",
        ),
    ],
)
def test_each_failure_has_its_reason_and_advice(
    job_body: Build, pods: list[Attempt], job_reason: str, reason: str, hint: str
) -> None:
    body = job_body(end="Failed", reason=job_reason, failed=2)
    body["spec"]["activeDeadlineSeconds"] = 3600
    outcome = read_outcome(finished_job(body), pods)
    assert outcome.reason == reason
    assert hint in outcome.message


def test_verdict_counts_though_the_deadline_came_just_then(
    job_body: Build, request_body: Build, now: datetime
) -> None:
    job = finished_job(job_body(end="Failed", reason="DeadlineExceeded", failed=1))
    outcome = read_outcome(
        job, [pod(0, document(now, verdict="Promoted", promoted=True, version=2))]
    )
    assert build_finished_status(read_request(request_body()), outcome, now, job)["version"] == 2
    assert outcome.reason == "Promoted"


def test_deadline_that_passed_while_the_pod_waited_says_for_what(job_body: Build) -> None:
    job = finished_job(job_body(end="Failed", reason="DeadlineExceeded"))
    hold = PodProblem("ImagePullFailed", "The image cannot be pulled: not found.")
    outcome = read_outcome(job, [pod(137, reason="ContainerStatusUnknown")], hold)
    assert outcome.reason == "ImagePullFailed"
    assert outcome.message.startswith("The deadline passed while the pod waited")
    assert outcome.message.endswith("not found.")


def test_model_that_is_live_at_the_deadline_without_its_row_is_named(
    job_body: Build, now: datetime
) -> None:
    live = document(
        now,
        reason="AuditPending",
        message="The model is live as version 3.",
        promoted=True,
        version=3,
    )
    job = finished_job(job_body(end="Failed", reason="DeadlineExceeded"))
    outcome = read_outcome(job, [pod(76, live), pod(143, at="2026-03-01T11:05:00Z")])
    assert outcome.reason == "AuditPending"
    assert "live as version 3" in outcome.message
    assert outcome.result
    assert outcome.result.version == 3


def test_last_pod_counts(job_body: Build, now: datetime) -> None:
    early = pod(
        75,
        document(now, reason="DependencyUnavailable", message="Redis was away."),
        at="2026-03-01T11:01:00Z",
    )
    late = pod(65, document(now, reason="BadData", message="No events."), at="2026-03-01T11:02:00Z")
    outcome = read_outcome(finished_job(job_body(end="Failed", failed=2)), [late, early])
    assert outcome.reason == "BadData"
    assert outcome.message.startswith("No events.")


@pytest.mark.parametrize(
    ("code", "fields", "expected"),
    [
        pytest.param(0, None, True, id="exit code 0 without a document"),
        pytest.param(1, {"verdict": "Kept"}, True, id="a verdict, though the exit code is 1"),
        pytest.param(75, {"reason": "DependencyUnavailable"}, False, id="a failure"),
        pytest.param(1, None, False, id="a crash"),
    ],
)
def test_attempt_is_decisive_with_exit_code_0_or_a_verdict(
    now: datetime, code: int, fields: dict[str, Any] | None, expected: bool
) -> None:
    text = "" if fields is None else document(now, **fields)
    assert is_decisive(pod(code, text)) is expected


def test_replaced_job_names_the_newer_request(job_body: Build, now: datetime) -> None:
    body = job_body(end="Failed", reason="DeadlineExceeded", failed=1)
    body["metadata"]["annotations"] = {"retraining.dev/replaced-by": "second"}
    outcome = read_outcome(finished_job(body), [pod(143, document(now, reason="InternalError"))])
    assert outcome.reason == "Replaced"
    assert outcome.message == (
        "It was replaced by the newer request second (triggers.concurrencyPolicy: Replace)."
    )
    assert outcome.result
    assert outcome.result.reason == "InternalError"


def test_failed_job_has_its_result_its_advice_and_the_number_of_pods(
    job_body: Build, now: datetime
) -> None:
    text = document(now, reason="DependencyUnavailable", message="Redis is unavailable.")
    outcome = read_outcome(finished_job(job_body(end="Failed", failed=4)), [pod(75, text)])
    assert outcome.result
    assert outcome.result.message == "Redis is unavailable."
    assert outcome.message.startswith("Redis is unavailable. ")
    assert outcome.message.endswith(" The Job first-job failed after 4 failed pod(s).")


def test_deadline_has_the_result_of_the_last_pod(job_body: Build, now: datetime) -> None:
    pods = [
        pod(
            143,
            document(now, reason="InternalError", message=message),
            at=f"2026-03-01T11:0{at}:00Z",
        )
        for at, message in enumerate(["First.", "Second.", "Third."], 1)
    ]
    job = finished_job(job_body(end="Failed", reason="DeadlineExceeded"))
    outcome = read_outcome(job, pods)
    assert outcome.result
    assert outcome.result.message == "Third."
    assert outcome.message.endswith("(job.deadlineSeconds for all requests).")
    assert read_outcome(job, []).result is None
