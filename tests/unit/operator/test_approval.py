"""RetrainApprovals: which are the operator's, and which answers are applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.api.approval import Approval
from retraining_operator.api.approval_rules import (
    build_approval,
    build_policy_probe,
    find_objection,
)
from retraining_operator.api.names import build_approval_name, build_job_name
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.retrain_approval import (
    RetrainApproval,
    build_retrain_approval,
    read_retrain_approval,
)
from retraining_operator.contract import ApprovalAnswer

Build = Callable[..., dict[str, Any]]
STORED = {"uid": "of-the-object", "resourceVersion": "9"}


def as_stored(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest as the API server stores it."""
    return {**manifest, "metadata": manifest["metadata"] | STORED}


@pytest.fixture
def request_(request_body: Build) -> RetrainRequest:
    return read_request(request_body(spec={"requestedBy": "jane"}))


@pytest.mark.parametrize("verifies", [True, False])
def test_object_that_the_operator_creates_is_genuine(
    request_: RetrainRequest, *, verifies: bool
) -> None:
    found = read_retrain_approval(
        as_stored(build_retrain_approval(request_, verifies_approver=verifies))
    )
    assert found.is_genuine
    assert (found.request, found.challenger) == ("first", "uid-of-first")
    assert (found.requested_by, found.verifies_approver) == ("jane", verifies)
    assert found.answer is None


def other_owner(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    [owner] = body["metadata"]["ownerReferences"]
    return {
        **body,
        "metadata": body["metadata"] | {"ownerReferences": [{**owner, **changes}]},
    }


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: other_owner(body, uid="uid-of-second"), id="another uid"),
        pytest.param(lambda body: other_owner(body, kind="Job"), id="another kind"),
        pytest.param(
            lambda body: other_owner(body, apiVersion="evil.example/v1"), id="another group"
        ),
        pytest.param(lambda body: other_owner(body, name="second"), id="another name"),
        pytest.param(lambda body: other_owner(body, controller=False), id="no controller"),
        pytest.param(
            lambda body: {**body, "metadata": body["metadata"] | {"ownerReferences": []}},
            id="no owner",
        ),
        pytest.param(
            lambda body: {**body, "metadata": body["metadata"] | {"name": "first"}},
            id="named after the request",
        ),
        pytest.param(
            lambda body: {**body, "spec": body["spec"] | {"challenger": "uid-of-second"}},
            id="of another challenger",
        ),
        pytest.param(
            lambda body: {**body, "spec": body["spec"] | {"request": "second"}},
            id="of another request",
        ),
    ],
)
def test_object_of_somebody_else_is_not_genuine(
    approval_body: Build, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    assert read_retrain_approval(approval_body()).is_genuine
    assert not read_retrain_approval(change(approval_body())).is_genuine


def test_name_belongs_to_one_request_and_to_no_job() -> None:
    names = {
        build_approval_name("first", "a"),
        build_approval_name("first", "b"),
        build_approval_name("x" * 63, "a"),
        build_job_name("first", "a"),
    }
    assert len(names) == 4
    assert max(map(len, names)) <= 63


def answered(approval_body: Build, answer: str = "Approve", **spec: Any) -> RetrainApproval:
    body = approval_body(answer=answer, **{"approver": "joe", "requestedBy": "jane", **spec})
    return read_retrain_approval(body)


def test_author_is_recorded_as_unverified_unless_the_policy_was_in_force(
    approval_body: Build,
) -> None:
    given_answer = answered(approval_body, comment="it is better")
    verified = build_approval(given_answer, is_verified=True)
    unverified = build_approval(given_answer, is_verified=False)
    assert verified == Approval(ApprovalAnswer.APPROVE, "joe", True, "it is better")
    assert (unverified.author, unverified.is_verified) == ("joe (unverified)", False)
    assert str(unverified) == "approve by joe (unverified)"


def test_nobody_can_pretend_to_be_verified_by_their_name(approval_body: Build) -> None:
    pretender = answered(approval_body, approver="joe (verified)")
    assert build_approval(pretender, is_verified=False).author == "joe (verified) (unverified)"


def test_unanswered_object_is_no_approval(approval_body: Build) -> None:
    with pytest.raises(ValueError, match="Nobody has answered"):
        build_approval(read_retrain_approval(approval_body()), is_verified=True)


@pytest.mark.parametrize(
    ("spec", "verified", "objection"),
    [
        pytest.param({}, True, None, id="somebody else"),
        pytest.param(
            {"approver": "jane"},
            True,
            "approvals.fourEyes is true and the approver has requested the run",
            id="oneself",
        ),
        pytest.param({"approver": "Jane"}, True, None, id="a name that differs in case"),
        pytest.param(
            {},
            False,
            "approvals.fourEyes is true and the approver is not verified, because the chart's "
            "admission policy was not in force",
            id="unverified",
        ),
        pytest.param({"answer": "Reject", "approver": "jane"}, True, None, id="rejecting oneself"),
        pytest.param({"answer": "Reject"}, False, None, id="rejecting unverified"),
        pytest.param(
            {"requestedBy": ""},
            True,
            "approvals.fourEyes is true and the request does not say who has requested it",
            id="unknown requester",
        ),
    ],
)
def test_four_eyes(
    approval_body: Build,
    request_: RetrainRequest,
    spec: dict[str, Any],
    verified: bool,
    objection: str | None,
) -> None:
    given_answer = answered(approval_body, **spec)
    found = find_objection(request_, given_answer, four_eyes=True, is_verified=verified)
    assert found == objection
    assert find_objection(request_, given_answer, four_eyes=False, is_verified=verified) is None


def test_anybody_may_approve_the_challenger_of_a_record(
    approval_body: Build, request_body: Build
) -> None:
    position = {"topic": "t", "partition": 0, "offset": 1, "timestamp": "x", "record": "{}"}
    from_kafka = read_request(request_body(spec={"trigger": position}))
    given_answer = answered(approval_body, requestedBy="")
    assert find_objection(from_kafka, given_answer, four_eyes=True, is_verified=True) is None


def test_probe_answers_in_the_name_of_somebody_else_and_is_no_real_object() -> None:
    probe = build_policy_probe("fraud")
    assert probe == {
        "apiVersion": "retraining.dev/v1alpha1",
        "kind": "RetrainApproval",
        "metadata": {"generateName": "policy-probe-", "namespace": "fraud"},
        "spec": {
            "request": "policy-probe",
            "challenger": "policy-probe",
            "answer": "Reject",
            "approver": "nobody, this is a probe of the policy",
        },
    }
    assert ":" not in probe["spec"]["approver"]  # so it is no service account
    stored = {**probe, "metadata": probe["metadata"] | STORED | {"name": "policy-probe-x7f2q"}}
    assert not read_retrain_approval(stored).is_genuine


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\u2028b", " a  b "])
def test_name_and_comment_are_one_line(approval_body: Build, text: str) -> None:
    found = answered(approval_body, approver=text, comment=text)
    assert found.approver.isprintable()
    assert found.comment.isprintable()
