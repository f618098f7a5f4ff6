"""The status of a RetrainRequest whose challenger awaits approval."""

from __future__ import annotations

from datetime import datetime

from retraining_operator.api import names
from retraining_operator.api.conditions import Condition, ConditionType, Status
from retraining_operator.api.job import Job
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.status import (
    GOES_ON,
    build_status,
    build_waiting_for_field,
    read_waiting_for,
)


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
        message = f'The Job {job.name} is applying the approval "{job.approval}".'
    status = build_awaiting_approval_status(request, reason, message, now)
    return status | build_waiting_for_field(waiting_for) | build_approval_fields(job)


def build_approval_fields(job: Job) -> Status:
    """Build the status fields of the approval that a Job applies.

    They come from the Job, because the RetrainApproval may have been deleted since.
    """
    fields: Status = {"approvalJobName": job.name}
    if job.approval:
        fields |= {
            "approval": str(job.approval.answer),
            "approvalBy": job.approval.author,
            "approvalVerified": job.approval.is_verified,
            "approvalComment": job.approval.comment or None,
        }
    return {field: value for field, value in fields.items() if value is not None}


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
