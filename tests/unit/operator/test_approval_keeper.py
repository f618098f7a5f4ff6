"""RetrainApprovals are created, their answers accepted, and those of others marked.

The policy, the races and the refusals of the API server are simulated. The tests in
`tests/integration/operator` use a real one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from retraining_operator.api.approval import Approval
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.retrain_approval import read_retrain_approval
from retraining_operator.contract import ApprovalAnswer
from retraining_operator.controller.errors import RetryLaterError
from retraining_operator.kube.errors import (
    ApiServerUnavailableError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RequestRefusedError,
)
from retraining_operator.planning.steps import AcceptAnswer, CreateApproval
from tests.unit.operator.approval_keepers import Keeper

Build = Callable[..., dict[str, Any]]


@pytest.fixture
def request_(request_body: Build) -> RetrainRequest:
    return read_request(request_body(spec={"requestedBy": "jane"}))


@pytest.mark.parametrize("in_force", [True, False])
async def test_created_object_stores_whether_the_policy_is_in_force(
    request_: RetrainRequest, *, in_force: bool
) -> None:
    made = Keeper()
    if not in_force:
        made.api.policy = None
    await made.keeper.create(CreateApproval(request_))
    found = made.cache.approvals.by_request["uid-of-first"]
    assert found.verifies_approver is in_force
    assert (found.requested_by, found.answer) == ("jane", None)


async def test_object_that_exists_is_used_and_not_created_again(request_: RetrainRequest) -> None:
    made = Keeper()
    await made.keeper.create(CreateApproval(request_))
    again = Keeper()
    again.api.stored = made.api.stored
    announced = replace(request_, status=made.statuses[0])
    await again.keeper.create(CreateApproval(announced))
    assert [status.get("launches") for status in again.statuses] == [None]
    assert again.cache.approvals.by_request == made.cache.approvals.by_request


async def test_name_that_somebody_else_has_taken_is_reported_and_not_used(
    request_: RetrainRequest, approval_body: Build, caplog: pytest.LogCaptureFixture
) -> None:
    made = Keeper()
    body = approval_body(answer="Approve", approver="eve")
    body["metadata"]["ownerReferences"] = []
    made.api.store(body)
    with caplog.at_level(logging.WARNING), pytest.raises(RetryLaterError):
        await made.keeper.create(CreateApproval(request_))
    assert "delete it" in caplog.text
    assert made.statuses == []
    assert made.cache.approvals.by_request == {}


async def accept(made: Keeper, request: RetrainRequest, body: dict[str, Any]) -> None:
    await made.keeper.accept(AcceptAnswer(request, read_retrain_approval(body)))


@pytest.mark.parametrize(
    ("before", "now", "author"),
    [
        (True, True, "joe"),
        (True, False, "joe (unverified)"),
        (False, True, "joe (unverified)"),
        (False, False, "joe (unverified)"),
    ],
)
async def test_author_is_verified_only_if_the_policy_was_in_force_all_along(
    request_: RetrainRequest,
    approval_body: Build,
    before: bool,
    now: bool,
    author: str,
) -> None:
    made = Keeper()
    if not now:
        made.api.policy = None
    body = approval_body(answer="Approve", approver="joe", verifiesApprover=before)
    await accept(made, request_, body)
    assert made.applied == [Approval(ApprovalAnswer.APPROVE, author, is_verified=before and now)]


@pytest.mark.parametrize(
    "refusal",
    [
        ForbiddenError(403, 'cannot create resource "retrainapprovals"'),
        RequestRefusedError(400, "admission webhook does not support dry run"),
        NotFoundError(404, "the server could not find the requested resource"),
        ForbiddenError(403, "Policy 'of another team' denied request: no labels"),
    ],
)
async def test_refusal_for_another_reason_verifies_nothing(
    request_: RetrainRequest, approval_body: Build, refusal: KubeError
) -> None:
    made = Keeper()
    made.api.policy = refusal
    await accept(made, request_, approval_body(answer="Approve", approver="joe"))
    assert made.applied[0].author == "joe (unverified)"


async def test_nothing_is_applied_while_the_api_server_does_not_answer(
    request_: RetrainRequest, approval_body: Build
) -> None:
    made = Keeper()
    made.api.policy = ApiServerUnavailableError("timeout")
    with pytest.raises(ApiServerUnavailableError):
        await accept(made, request_, approval_body(answer="Approve", approver="joe"))
    assert made.applied == []


@pytest.mark.parametrize(("approver", "is_applied"), [("joe", True), ("jane", False)])
async def test_own_request_is_not_approved_where_four_eyes_are_needed(
    request_: RetrainRequest, approval_body: Build, approver: str, *, is_applied: bool
) -> None:
    made = Keeper(four_eyes=True)
    body = approval_body(answer="Approve", approver=approver, requestedBy="jane")
    if is_applied:
        await accept(made, request_, body)
        assert made.applied[0].is_verified
        return
    with pytest.raises(RetryLaterError):
        await accept(made, request_, body)
    assert made.applied == []
    [status] = made.statuses
    assert status["conditions"][1]["reason"] == "ApprovalIgnored"


async def test_four_eyes_apply_no_approval_if_the_policy_was_removed(
    request_: RetrainRequest, approval_body: Build
) -> None:
    made = Keeper(four_eyes=True)
    made.api.policy = None
    approved = approval_body(answer="Approve", approver="joe", requestedBy="jane")
    with pytest.raises(RetryLaterError):
        await accept(made, request_, approved)
    assert made.applied == []
    await accept(made, request_, {**approved, "spec": approved["spec"] | {"answer": "Reject"}})
    assert made.applied[0].answer is ApprovalAnswer.REJECT


async def test_object_of_somebody_else_is_marked_once(
    approval_body: Build, caplog: pytest.LogCaptureFixture
) -> None:
    made = Keeper()
    body = approval_body(name="mine", answer="Approve", approver="eve")
    made.api.stored["mine"] = body
    made.cache.approvals.update(body)
    foreign = list(made.cache.approvals.foreign.values())
    with caplog.at_level(logging.WARNING):
        await made.keeper.mark_foreign(foreign)
    [condition] = made.api.marked["mine"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "ApprovalIgnored")
    assert "fraud/mine" in caplog.text
    assert not made.cache.approvals.foreign
    made.cache.approvals.update(
        {**body, "status": made.api.marked["mine"], "metadata": body["metadata"]}
    )
    assert not made.cache.approvals.foreign


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (NotFoundError(404, "gone"), False),
        (ConflictError(409, "changed"), False),
        (ForbiddenError(403, "no"), False),
        (ApiServerUnavailableError("timeout"), True),
    ],
)
async def test_mark_that_cannot_be_written_stops_nothing(
    approval_body: Build, error: KubeError, *, stays: bool
) -> None:
    made = Keeper()
    made.api.marking_fails = error
    made.cache.approvals.update(approval_body(name="mine"))
    await made.keeper.mark_foreign(list(made.cache.approvals.foreign.values()))
    assert bool(made.cache.approvals.foreign) is stays


async def test_object_that_cannot_be_marked_does_not_stop_the_others(
    approval_body: Build,
) -> None:
    made = Keeper()
    for name in ("bad", "good"):
        body = approval_body(name=name)
        body["metadata"]["uid"] = f"uid-of-{name}"
        made.cache.approvals.update(body)
        made.api.store(body)
    del made.api.stored["bad"]
    made.api.missing_answer = ForbiddenError(403, "denied by a webhook")
    await made.keeper.mark_foreign(list(made.cache.approvals.foreign.values()))
    assert list(made.api.marked) == ["good"]
    assert not made.cache.approvals.foreign


@pytest.mark.parametrize("in_force", [True, False])
async def test_log_at_start_says_whether_the_policy_is_in_force(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, in_force: bool
) -> None:
    monkeypatch.setattr("retraining_operator.controller.approval_policy.START_PROBE_SECONDS", 0.0)
    made = Keeper()
    if not in_force:
        made.api.policy = None
    with caplog.at_level(logging.INFO):
        await made.policy.report()
    assert ("is in force" in caplog.text) is in_force
    assert ("recorded as unverified" in caplog.text) is not in_force
