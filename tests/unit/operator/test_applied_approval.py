"""An approval, from its announcement until it is applied."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.approval_status import (
    build_launching_approval_status,
    build_refused_approval_status,
)
from retraining_operator.api.conditions import ConditionType, Status, read_conditions
from retraining_operator.api.job import Job, read_job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import (
    build_applied_approval_status,
    describe_deleted_job,
)
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.retrain_approval import read_retrain_approval
from retraining_operator.planning.steps import (
    AcceptAnswer,
    ApplyApproval,
    Conclude,
    FindJob,
    Settle,
    SetTtl,
    WriteStatus,
)
from tests.unit.operator.awaited_approvals import (
    ANNOUNCED,
    JANE,
    Ask,
    in_database,
    message_of,
    step_of,
)
from tests.unit.operator.finished_runs import outcome, promoted

Build = Callable[..., dict[str, Any]]


def read_request_again(request: RetrainRequest, status: Status) -> RetrainRequest:
    """Return a request after a status was written."""
    stored = {name: value for name, value in {**request.status, **status}.items() if value}
    return replace(request, status=in_database(stored))


def test_approval_that_was_announced_counts(
    awaits: Ask, job_body: Build, approval_body: Build, now: datetime
) -> None:
    other = approval_body(answer="Reject", approver="joe")
    for approval in (other, None):  # deleted before the Job has applied it
        step = step_of(awaits(**ANNOUNCED), now, job_body(approval=JANE), approval=approval)
        assert isinstance(step, WriteStatus)
        assert promoted(step.status) == ("Unknown", "ApplyingApproval")
        assert 'the approval "approve by jane"' in message_of(step)
        assert "approvalBy" not in step.status
        request = awaits(**ANNOUNCED, **step.status)
        assert step_of(request, now, job_body(approval=JANE), approval=approval) is None


def test_interrupted_creation_of_the_job_applies_the_announced_approval(
    awaits: Ask, approval_body: Build, now: datetime
) -> None:
    request = awaits()
    status = build_launching_approval_status(request, JANE, "first-approval", now, "digest")
    request = awaits(**status)
    body = approval_body(answer="Reject", approver="joe")
    assert step_of(request, now, approval=body) == ApplyApproval(request, JANE)
    status = build_refused_approval_status(request, "No room.", now, is_definite=True)
    request = read_request_again(request, status)
    assert step_of(request, now, approval=body) == AcceptAnswer(
        request, read_retrain_approval(body)
    )


def test_finished_job_of_an_approval_is_concluded(
    awaits: Ask, job_body: Build, now: datetime
) -> None:
    step = step_of(awaits(), now, job_body(end="Complete"), job_body(approval=JANE, end="Complete"))
    assert isinstance(step, Conclude)
    assert step.job.task is Task.DECIDE


def test_approval_whose_job_was_deleted_is_not_applied_twice(
    awaits: Ask, approval_body: Build, now: datetime
) -> None:
    request = awaits(approvalJobName="first-approval", approval="approve")
    body = approval_body(answer="Approve", approver="jane")
    assert step_of(request, now, approval=body) == FindJob(request, Task.DECIDE)


def approval_job(job_body: Build) -> Job:
    job = read_job(job_body(approval=JANE, end="Complete"))
    assert job
    return job


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        pytest.param(
            {"verdict": "Promoted", "promoted": True, "version": 4},
            ("True", "Promoted", None, 4),
            id="yes",
        ),
        pytest.param(
            {"verdict": "Promoted", "withheld": "Rejected"},
            ("False", "Rejected", "Rejected", None),
            id="no",
        ),
        pytest.param(
            {"verdict": "Kept", "reason": "expired"}, ("False", "Kept", None, None), id="too late"
        ),
        pytest.param(
            {"verdict": "Promoted", "withheld": "AwaitingApproval"},
            ("Unknown", "AwaitingApproval", None, None),
            id="a trainer that did not decide is not asked for ever",
        ),
    ],
)
def test_applied_approval_ends_the_wait(
    awaits: Ask, job_body: Build, now: datetime, fields: dict[str, Any], end: tuple[object, ...]
) -> None:
    status = build_applied_approval_status(
        awaits(**ANNOUNCED), outcome(now, **fields), now, approval_job(job_body)
    )
    assert (*promoted(status), status["withheld"], status["version"]) == end
    assert (
        read_conditions(status)[ConditionType.SUCCEEDED]
        == awaits().conditions[ConditionType.SUCCEEDED]
    )
    assert status["approvalTime"] == "2026-03-01T11:05:00Z"
    request = awaits(**ANNOUNCED, **status)
    assert request.given_approval == JANE
    assert isinstance(step_of(request, now, job_body(approval=JANE, end="Complete")), SetTtl)
    assert step_of(request, now) == Settle(request)


def test_failed_approval_is_reported_and_ends_the_wait(
    awaits: Ask, job_body: Build, now: datetime
) -> None:
    status = build_applied_approval_status(
        awaits(),
        JobOutcome("DependencyUnavailable", "Redis was away."),
        now,
        approval_job(job_body),
    )
    assert promoted(status) == ("False", "DependencyUnavailable")
    assert "Apply a new RetrainRequest" in status["conditions"][1]["message"]
    assert not awaits(**status).is_awaiting_approval


@pytest.mark.parametrize("reason", [ConditionReason.JOB_DELETED, ConditionReason.RESULT_LOST])
def test_approval_with_a_lost_result_is_unknown(
    awaits: Ask, now: datetime, reason: ConditionReason
) -> None:
    status = build_applied_approval_status(
        awaits(), JobOutcome(reason, describe_deleted_job(awaits(), Task.DECIDE, "x")), now
    )
    assert promoted(status) == ("Unknown", reason)
    assert not awaits(**status).is_awaiting_approval
