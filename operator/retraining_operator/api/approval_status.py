"""The status of a RetrainRequest whose challenger awaits approval."""

from __future__ import annotations

from datetime import datetime

from retraining_operator.api import names
from retraining_operator.api.approval import Approval
from retraining_operator.api.conditions import Condition, ConditionType, Status
from retraining_operator.api.job import Job
from retraining_operator.api.ownership import build_launches_field
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.retrain_approval import RetrainApproval
from retraining_operator.api.status import (
    GOES_ON,
    build_status,
    build_waiting_for_field,
    read_waiting_for,
)
from retraining_operator.contract import Withheld

LAUNCHING_FIELDS = (
    "approvalJobName",
    "approvalJobUid",
    "approval",
    "approvalBy",
    "approvalVerified",
    "approvalComment",
)
"""The fields that are stored before the Job that applies an approval is created."""


def build_awaiting_approval_status(
    request: RetrainRequest, reason: str, message: str, now: datetime
) -> Status:
    """Build the status of a request whose challenger awaits approval.

    Args:
        request: The request.
        reason: The reason of the condition Promoted.
        message: The message of the condition Promoted.
        now: The present time.

    Returns:
        The status. The condition Succeeded keeps the verdict.
    """
    return build_status(
        request, [Condition(ConditionType.PROMOTED, "Unknown", reason, message)], now
    )


def build_applying_approval_status(request: RetrainRequest, job: Job, now: datetime) -> Status:
    """Build the status of a request whose approval is being applied by a Job.

    Args:
        request: The request with its stored status.
        job: The Job of the task `decide`, not finished.
        now: The present time.

    Returns:
        The status, with what the pod waits for in `waitingFor`.
    """
    waiting_for = job.waiting_for
    if not waiting_for and not job.ready and not job.is_starting:
        waiting_for = read_waiting_for(request)
    if waiting_for:
        reason, message = waiting_for.reason, f"{waiting_for.message} {GOES_ON}"
    else:
        reason = ConditionReason.APPLYING_APPROVAL
        message = f'The Job {job.name} is applying the approval "{request.given_approval}".'
    status = build_awaiting_approval_status(request, reason, message, now)
    return status | build_waiting_for_field(waiting_for) | build_approval_fields(job)


def build_approval_fields(job: Job) -> Status:
    """Build the status fields of the Job that applies an approval.

    The approval itself was stored before the Job was created. What the Job or the request says of
    it may have changed since.
    """
    return {"approvalJobName": job.name, "approvalJobUid": job.uid}


def build_launching_approval_status(
    request: RetrainRequest, approval: Approval, job: str, now: datetime, digest: str
) -> Status:
    """Build the status that announces the creation of the Job that applies an approval.

    Args:
        request: The request.
        approval: The approval.
        job: The name of the Job.
        now: The present time.
        digest: The digest by which the Job will be recognized.

    Returns:
        The status. The first approval counts: later ones do not replace it.
    """
    message = f'The Job {job}, which applies the approval "{approval}", is being created.'
    status = build_awaiting_approval_status(request, ConditionReason.LAUNCHING, message, now)
    fields = {
        "approvalJobName": job,
        "approvalJobUid": None,
        "approval": str(approval.answer),
        "approvalBy": approval.author or None,
        "approvalVerified": approval.is_verified,
        "approvalComment": approval.comment or None,
    }
    return status | fields | build_launches_field(request, digest)


def build_refused_approval_status(
    request: RetrainRequest, message: str, now: datetime, *, is_definite: bool
) -> Status:
    """Build the status of a request whose approval's Job was not created.

    Args:
        request: The request.
        message: Why it was not created.
        now: The present time.
        is_definite: Whether the Job certainly does not exist.

    Returns:
        The status. If the Job may exist, its name and the approval stay.
    """
    reason = ConditionReason.JOB_REFUSED_FOR_NOW
    status = build_awaiting_approval_status(request, reason, message, now)
    return status | (dict.fromkeys(LAUNCHING_FIELDS) if is_definite else {})


def build_asking_status(request: RetrainRequest, now: datetime, digest: str) -> Status:
    """Build the status that announces the creation of the request's RetrainApproval.

    Args:
        request: The request.
        now: The present time.
        digest: The digest by which the RetrainApproval will be recognized.

    Returns:
        The status.
    """
    message = describe_approval_commands(request)
    status = build_awaiting_approval_status(request, Withheld.AWAITING_APPROVAL, message, now)
    return status | build_launches_field(request, digest)


def build_asked_status(request: RetrainRequest, asked: RetrainApproval, now: datetime) -> Status:
    """Build the status of a request whose RetrainApproval was created.

    Args:
        request: The request.
        asked: Its RetrainApproval. From now on no other one counts.
        now: The present time.

    Returns:
        The status.
    """
    message = describe_approval_commands(request, verifies_approver=asked.verifies_approver)
    status = build_awaiting_approval_status(request, Withheld.AWAITING_APPROVAL, message, now)
    return status | {"retrainApprovalUid": asked.uid}


def describe_approval_commands(request: RetrainRequest, *, verifies_approver: bool = True) -> str:
    """Return a message with the commands that approve or reject the challenger.

    Args:
        request: The request.
        verifies_approver: Whether the admission policy was in force when its RetrainApproval was
            created.

    Returns:
        The message. It says so if the approver will not be verified.
    """
    approval = names.build_approval_name(request.name, request.uid)
    message = (
        "The challenger is stored and awaits approval. To promote it, run: "
        f"kubectl --namespace {request.namespace} patch rta {approval} --type merge --patch "
        '"spec: {answer: Approve, approver: '
        "'$(kubectl auth whoami --output jsonpath={.status.userInfo.username})'}\". "
        "To reject it, run the same command with Reject."
    )
    if verifies_approver:
        return message
    return (
        f"{message} The approver will be recorded as unverified, because the chart's admission "
        "policy was not in force when the RetrainApproval was created."
    )


def describe_ignored_answer(approval: str, why: str) -> str:
    """Describe an answer that is not applied.

    Args:
        approval: The name of the RetrainApproval.
        why: The objection.

    Returns:
        The message, with what to do.
    """
    return (
        f"The answer in the RetrainApproval {approval} is ignored: {why}. Delete it (kubectl "
        f"delete rta {approval}). The operator then creates another one for a new answer."
    )
