"""Which answers to a challenger are applied, and whether their author is verified."""

from __future__ import annotations

from retraining_operator.api import names
from retraining_operator.api.approval import UNVERIFIED, Approval
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.api.retrain_approval import RetrainApproval
from retraining_operator.contract import ApprovalAnswer

POLICY_MESSAGE = "spec.approver must be the user name of the person who answers"
"""How the message of the chart's policy begins if somebody answers in another person's name."""


def build_policy_probe(namespace: str) -> Manifest:
    """Build a RetrainApproval that the admission policy must refuse, for a dry run.

    It answers in the name of somebody who does not exist.
    """
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.APPROVAL_KIND,
        "metadata": {"generateName": "policy-probe-", "namespace": namespace},
        "spec": {
            "request": "policy-probe",
            "challenger": "policy-probe",
            "answer": "Reject",
            "approver": "nobody, this is a probe of the policy",
        },
    }


def build_approval(answered: RetrainApproval, *, is_verified: bool) -> Approval:
    """Build the approval that is applied and recorded.

    Args:
        answered: A RetrainApproval with an answer.
        is_verified: Whether the API server has verified the approver.

    Returns:
        The approval. An author who is not verified is recorded as such.

    Raises:
        ValueError: If nobody has answered.
    """
    if answered.answer is None:
        raise ValueError(f"Nobody has answered {answered.key}.")
    author = answered.approver if is_verified else f"{answered.approver}{UNVERIFIED}"
    return Approval(answered.answer, author, is_verified, answered.comment)


def find_objection(
    request: RetrainRequest, answered: RetrainApproval, *, four_eyes: bool, is_verified: bool
) -> str | None:
    """Find why an answer must not be applied.

    Only the approval of a challenger needs four eyes. Everybody who may answer may reject.

    Args:
        request: The request.
        answered: Its RetrainApproval with an answer.
        four_eyes: Whether nobody may approve what they have requested.
        is_verified: Whether the API server has verified the approver.

    Returns:
        The reason as a clause without a subject; None if the answer is applied.
    """
    if not four_eyes or answered.answer is not ApprovalAnswer.APPROVE:
        return None
    if not is_verified:
        return (
            "approvals.fourEyes is true and the approver is not verified, because the chart's "
            "admission policy was not in force"
        )
    if not answered.requested_by and request.spec.trigger is None:
        return "approvals.fourEyes is true and the request does not say who has requested it"
    if answered.approver == answered.requested_by:
        return "approvals.fourEyes is true and the approver has requested the run"
    return None
