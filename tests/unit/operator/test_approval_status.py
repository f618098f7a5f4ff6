"""Approval, from a challenger that awaits it until it is applied."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import yaml

from retraining_operator.api.approval import Approval
from retraining_operator.api.approval_status import (
    build_launching_approval_status,
    build_refused_approval_status,
)
from retraining_operator.api.conditions import ConditionType, Status, read_conditions
from retraining_operator.api.job import Job, read_job
from retraining_operator.api.names import Task, build_approval_name
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import (
    build_applied_approval_status,
    build_finished_status,
    describe_deleted_job,
)
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.retrain_approval import read_retrain_approval
from retraining_operator.contract import ApprovalAnswer
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import (
    AcceptAnswer,
    ApplyApproval,
    Conclude,
    CreateApproval,
    FindJob,
    Settle,
    SetTtl,
    Step,
    WriteStatus,
)
from retraining_operator.settings import Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.finished_runs import outcome, promoted

Build = Callable[..., dict[str, Any]]
Ask = Callable[..., RetrainRequest]


JANE = Approval(ApprovalAnswer.APPROVE, "jane", is_verified=True, comment="better on cards")
ANNOUNCED = {
    "approval": "approve",
    "approvalBy": "jane",
    "approvalVerified": True,
    "approvalComment": "better on cards",
}
"""The fields of the status that are written before the Job is created."""


@pytest.fixture
def awaits(request_body: Build, now: datetime) -> Ask:
    """Return a function that builds a request whose challenger awaits approval."""
    first = build_finished_status(
        read_request(request_body()),
        outcome(now, verdict="Promoted", withheld="AwaitingApproval", metrics=None),
        now,
    )

    def build(spec: dict[str, Any] | None = None, **status: Any) -> RetrainRequest:
        stored = {"retrainApprovalUid": "uid-of-approval-of-first", **first, **status}
        return read_request(request_body(spec=spec, status=in_database(stored)))

    return build


def in_database(status: Status) -> Status:
    """Return a status whose outcome is recorded, which every later step requires."""
    *others, recorded = status["conditions"]
    return status | {"conditions": [*others, recorded | {"status": "True", "reason": "Recorded"}]}


def read_request_again(request: RetrainRequest, status: Status) -> RetrainRequest:
    """Return a request after a status was written."""
    stored = {name: value for name, value in {**request.status, **status}.items() if value}
    return replace(request, status=in_database(stored))


def step_of(
    request: RetrainRequest,
    now: datetime,
    *bodies: dict[str, Any],
    approval: dict[str, Any] | None = None,
    four_eyes: bool = False,
) -> Step | None:
    found = [job for body in bodies if (job := read_job(body))]
    jobs = {task: {job.request_uid: job for job in found if job.task is task} for task in Task}
    approvals = {request.uid: read_retrain_approval(approval)} if approval else {}
    known = PlanInput([request], jobs, approvals=approvals, needs_four_eyes=four_eyes)
    steps = plan(known, Triggers(max_concurrent=2), now).steps
    return steps[0] if steps else None


def message_of(step: Step | None) -> str:
    assert isinstance(step, WriteStatus)
    return str(step.status["conditions"][1]["message"])


def test_verdict_is_stored_and_the_promotion_awaits_approval(awaits: Ask) -> None:
    request = awaits()
    assert request.conditions[ConditionType.SUCCEEDED].status == "True"
    condition = request.conditions[ConditionType.PROMOTED]
    assert (condition.status, condition.reason) == ("Unknown", "AwaitingApproval")
    name = build_approval_name("first", "uid-of-first")
    assert f"kubectl --namespace fraud patch rta {name} --type merge" in condition.message


def test_command_in_the_message_is_valid_shell_and_yaml(awaits: Ask) -> None:
    message = awaits().conditions[ConditionType.PROMOTED].message
    command = message.split("run: ")[1].split(" To reject")[0].removesuffix(".")
    arguments = shlex.split(command.replace("$(kubectl auth whoami", "(kubectl auth whoami"))
    change = yaml.safe_load(arguments[-1])
    assert change["spec"]["answer"] == "Approve"
    assert "auth whoami" in change["spec"]["approver"]


def test_retrain_approval_is_created_once_and_again_if_it_was_deleted(
    awaits: Ask, approval_body: Build, now: datetime
) -> None:
    request = awaits()
    assert step_of(request, now) == CreateApproval(request)
    assert step_of(request, now, approval=approval_body()) is None
    assert step_of(request, now) == CreateApproval(request)


def test_request_without_an_answer_waits_and_is_not_settled(
    awaits: Ask, job_body: Build, approval_body: Build, now: datetime
) -> None:
    ended = job_body(end="Complete")
    assert isinstance(step_of(awaits(), now, ended, approval=approval_body()), SetTtl)
    assert step_of(awaits(), now, approval=approval_body()) is None


def test_request_that_awaits_nothing_gets_no_retrain_approval(
    request_body: Build, now: datetime
) -> None:
    for fields in ({"verdict": "Kept"}, {"verdict": "Promoted", "withheld": "DryRun"}):
        ended = outcome(now, **{"metrics": None, **fields})
        status = build_finished_status(read_request(request_body()), ended, now)
        step = step_of(read_request(request_body(status=in_database(status))), now)
        assert isinstance(step, Settle)
    assert not isinstance(step_of(read_request(request_body()), now), CreateApproval)


def test_answer_is_accepted(awaits: Ask, approval_body: Build, now: datetime) -> None:
    request, body = awaits(), approval_body(answer="Approve", approver="jane")
    assert step_of(request, now, approval=body) == AcceptAnswer(
        request, read_retrain_approval(body)
    )


def test_answer_of_another_request_is_not_accepted(
    awaits: Ask, approval_body: Build, now: datetime
) -> None:
    """The cache gives an answer to the request whose uid it names, whatever its name is."""
    cache = ClusterCache()
    earlier = approval_body(answer="Approve", approver="jane", challenger="uid-of-an-earlier-one")
    cache.approvals.update(earlier)
    assert cache.approvals.by_request == {}
    request = awaits()
    known = PlanInput([request], {task: {} for task in Task}, approvals=cache.approvals.by_request)
    assert plan(known, Triggers(), now).steps == [CreateApproval(request)]


def test_message_says_if_the_approver_will_not_be_verified(
    awaits: Ask, approval_body: Build, now: datetime
) -> None:
    body = approval_body(verifiesApprover=False)
    step = step_of(awaits(), now, approval=body)
    assert "recorded as unverified" in message_of(step)
    assert isinstance(step, WriteStatus)
    assert step_of(awaits(**step.status), now, approval=body) is None  # written once


def test_own_request_is_not_approved_where_four_eyes_are_needed(
    awaits: Ask, approval_body: Build, now: datetime
) -> None:
    body = approval_body(answer="Approve", approver="jane", requestedBy="jane")
    step = step_of(awaits(), now, approval=body, four_eyes=True)
    assert "has requested the run" in message_of(step)
    assert f"kubectl delete rta {body['metadata']['name']}" in message_of(step)
    assert isinstance(step, WriteStatus)
    assert promoted(step.status) == ("Unknown", "ApprovalIgnored")
    assert awaits(**step.status).is_awaiting_approval
    assert step_of(awaits(**step.status), now, approval=body, four_eyes=True) is None
    assert isinstance(step_of(awaits(), now, approval=body), AcceptAnswer)


def test_answer_is_not_applied_while_the_request_is_suspended(
    awaits: Ask, approval_body: Build, now: datetime
) -> None:
    body = approval_body(answer="Approve", approver="jane")
    assert "spec.suspend" in message_of(step_of(awaits(spec={"suspend": True}), now, approval=body))


def test_approval_does_not_count_for_concurrency(
    awaits: Ask, request_body: Build, job_body: Build, approval_body: Build, now: datetime
) -> None:
    approval_job = read_job(job_body(approval=JANE))
    assert approval_job
    found = {Task.TRAIN: {}, Task.DECIDE: {"uid-of-first": approval_job}}
    steps = plan(
        PlanInput([read_request(request_body("new"))], found), Triggers(max_concurrent=1), now
    ).steps
    assert [type(step).__name__ for step in steps] == ["Launch"]
    running = {job.request_uid: job for name in "ab" if (job := read_job(job_body(name)))}
    answered = read_retrain_approval(approval_body(answer="Approve", approver="jane"))
    gathered = PlanInput(
        [awaits()],
        {Task.TRAIN: running, Task.DECIDE: {}},
        approvals={"uid-of-first": answered},
    )
    [step] = plan(gathered, Triggers(max_concurrent=2), now).steps
    assert isinstance(step, AcceptAnswer)


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
