"""How a failed Job ended: its reason, its advice and its result."""

from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.outcome import is_decisive, read_outcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.pod import Attempt
from retraining_operator.api.pod_problems import PodProblem
from retraining_operator.api.request import read_request
from tests.unit.operator.attempts import Build, document, finished_job, pod


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


def test_verdict_counts_although_the_deadline_passed_at_the_same_time(
    job_body: Build, request_body: Build, now: datetime
) -> None:
    job = finished_job(job_body(end="Failed", reason="DeadlineExceeded", failed=1))
    outcome = read_outcome(
        job, [pod(0, document(now, verdict="Promoted", promoted=True, version=2))]
    )
    assert build_finished_status(read_request(request_body()), outcome, now, job)["version"] == 2
    assert outcome.reason == "Promoted"


def test_message_about_the_deadline_says_what_the_pod_waited_for(job_body: Build) -> None:
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
    assert outcome.message.endswith(" The Job first-7d81d2356d31 failed after 4 failed pod(s).")


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
