"""Approval, from a challenger that awaits it until it is applied."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.approval import Approval, read_approval
from retraining_operator.api.conditions import ConditionType, Status, read_conditions
from retraining_operator.api.job import Job, read_job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import (
    build_applied_approval_status,
    build_finished_status,
    describe_deleted_job,
)
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.contract import ApprovalAnswer
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import (
    ApplyApproval,
    Conclude,
    FindJob,
    IgnoreApproval,
    Settle,
    SetTtl,
    Step,
    WriteStatus,
)
from retraining_operator.settings import Triggers
from tests.unit.operator.finished_runs import outcome, promoted

Build = Callable[..., dict[str, Any]]
Ask = Callable[..., RetrainRequest]


@pytest.fixture
def awaits(request_body: Build, now: datetime) -> Ask:
    """Return a function that builds a request whose challenger awaits approval."""
    first = build_finished_status(
        read_request(request_body()),
        outcome(now, verdict="Promoted", withheld="AwaitingApproval", metrics=None),
        now,
    )

    def build(
        text: str | None = None, /, spec: dict[str, Any] | None = None, **status: Any
    ) -> RetrainRequest:
        return read_request(
            request_body(spec=spec, status=in_database(first | status), approval=text)
        )

    return build


def in_database(status: Status) -> Status:
    """Return a status whose outcome is recorded, which every later step requires."""
    *others, recorded = status["conditions"]
    return status | {"conditions": [*others, recorded | {"status": "True", "reason": "Recorded"}]}


def step_of(request: RetrainRequest, now: datetime, *bodies: dict[str, Any]) -> Step | None:
    found = [job for body in bodies if (job := read_job(body))]
    jobs = {task: {job.request_uid: job for job in found if job.task is task} for task in Task}
    steps = plan(PlanInput([request], jobs), Triggers(max_concurrent=2), now).steps
    return steps[0] if steps else None


def message_of(step: Step | None) -> str:
    assert isinstance(step, WriteStatus)
    return str(step.status["conditions"][1]["message"])


def test_verdict_is_stored_and_the_promotion_awaits_approval(awaits: Ask) -> None:
    request = awaits()
    assert request.conditions[ConditionType.SUCCEEDED].status == "True"
    condition = request.conditions[ConditionType.PROMOTED]
    assert (condition.status, condition.reason) == ("Unknown", "AwaitingApproval")
    assert (
        "kubectl --namespace fraud annotate --overwrite rtr first retraining.dev/approval=approve"
        in condition.message
    )


def test_request_without_an_approval_waits_and_is_not_settled(
    awaits: Ask, job_body: Build, now: datetime
) -> None:
    assert isinstance(step_of(awaits(), now, job_body(end="Complete")), SetTtl)
    assert step_of(awaits(), now) is None


def test_annotation_starts_the_job_that_applies_it(awaits: Ask, now: datetime) -> None:
    request = awaits("approve by Jane Doe")
    assert step_of(request, now) == ApplyApproval(
        request, Approval(ApprovalAnswer.APPROVE, "Jane Doe")
    )


def test_invalid_annotation_says_what_is_allowed(awaits: Ask, now: datetime) -> None:
    step = step_of(awaits("yes please"), now)
    assert "approve or reject" in message_of(step)
    assert isinstance(step, WriteStatus)
    assert step_of(awaits("yes please", **step.status), now) is None  # reported once
    assert "annotate" in message_of(
        step_of(awaits(None, **step.status), now)
    )  # and taken back with the annotation


def test_approval_is_not_applied_while_the_request_is_suspended(awaits: Ask, now: datetime) -> None:
    assert "spec.suspend" in message_of(step_of(awaits("approve", spec={"suspend": True}), now))


def test_approval_does_not_count_for_concurrency(
    awaits: Ask, request_body: Build, job_body: Build, now: datetime
) -> None:
    approval_job = read_job(job_body(approval="approve"))
    assert approval_job
    found = {Task.TRAIN: {}, Task.DECIDE: {"uid-of-first": approval_job}}
    steps = plan(
        PlanInput([read_request(request_body("new"))], found), Triggers(max_concurrent=1), now
    ).steps
    assert [type(step).__name__ for step in steps] == ["Launch"]
    running = {job.request_uid: job for name in "ab" if (job := read_job(job_body(name)))}
    gathered = PlanInput([awaits("approve")], {Task.TRAIN: running, Task.DECIDE: {}})
    [step] = plan(gathered, Triggers(max_concurrent=2), now).steps
    assert isinstance(step, ApplyApproval)


def test_approval_that_was_announced_counts(awaits: Ask, job_body: Build, now: datetime) -> None:
    job = job_body(approval="approve by somebody who has edited the Job")
    step = step_of(awaits("reject by Joe", **ANNOUNCED), now, job)
    assert isinstance(step, WriteStatus)
    assert promoted(step.status) == ("Unknown", "ApplyingApproval")
    assert 'the approval "approve by Jane Doe"' in message_of(step)
    assert "approvalBy" not in step.status
    assert step_of(awaits("reject by Joe", **ANNOUNCED, **step.status), now, job) is None


def test_finished_job_of_an_approval_is_concluded(
    awaits: Ask, job_body: Build, now: datetime
) -> None:
    step = step_of(
        awaits("approve"),
        now,
        job_body(end="Complete"),
        job_body(approval="approve", end="Complete"),
    )
    assert isinstance(step, Conclude)
    assert step.job.task is Task.DECIDE


def test_approval_whose_job_was_deleted_is_not_applied_twice(awaits: Ask, now: datetime) -> None:
    request = awaits("approve", approvalJobName="first-approval", approval="approve")
    assert step_of(request, now) == FindJob(request, Task.DECIDE)


ANNOUNCED = {"approval": "approve", "approvalBy": "Jane Doe"}
"""The fields of the status that are written before the Job is created."""


def approval_job(job_body: Build) -> Job:
    job = read_job(job_body(approval="approve by Jane Doe", end="Complete"))
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
        awaits("approve by Jane Doe", **ANNOUNCED),
        outcome(now, **fields),
        now,
        approval_job(job_body),
    )
    assert (*promoted(status), status["withheld"], status["version"]) == end
    assert (
        read_conditions(status)[ConditionType.SUCCEEDED]
        == awaits().conditions[ConditionType.SUCCEEDED]
    )
    assert status["approvalTime"] == "2026-03-01T11:05:00Z"
    request = awaits("approve by Jane Doe", **ANNOUNCED, **status)
    assert request.given_approval == read_approval("approve by Jane Doe")
    assert isinstance(step_of(request, now, job_body(approval="approve", end="Complete")), SetTtl)
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


@pytest.mark.parametrize("late", ["reject", "approve", "approve by Joe", "nonsense"])
def test_later_annotation_has_no_effect_and_is_reported_once(
    awaits: Ask, now: datetime, late: str
) -> None:
    taken = {"withheld": None, "approval": "approve", "approvalBy": "Jane Doe"}
    step = step_of(awaits(late, **taken), now)
    assert isinstance(step, IgnoreApproval)
    assert "approve by Jane Doe" in step.message
    reported = awaits(late, **taken, ignoredApproval=late)
    assert step_of(reported, now) == Settle(reported)


def test_annotation_that_nothing_awaits_is_reported(request_body: Build, now: datetime) -> None:
    kept = build_finished_status(read_request(request_body()), outcome(now, verdict="Kept"), now)
    step = step_of(read_request(request_body(status=kept, approval="approve")), now)
    assert isinstance(step, IgnoreApproval)
    assert "no challenger awaits" in step.message
