"""A challenger that awaits approval, until its answer is accepted."""

import shlex
from collections.abc import Callable
from datetime import datetime
from typing import Any

import yaml

from retraining_operator.api.conditions import ConditionType
from retraining_operator.api.job import read_job
from retraining_operator.api.names import Task, build_approval_name
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.request import read_request
from retraining_operator.api.retrain_approval import read_retrain_approval
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import (
    AcceptAnswer,
    CreateApproval,
    Settle,
    SetTtl,
    WriteStatus,
)
from retraining_operator.settings import Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.awaited_approvals import JANE, Ask, in_database, message_of, step_of
from tests.unit.operator.finished_runs import outcome, promoted

Build = Callable[..., dict[str, Any]]


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
