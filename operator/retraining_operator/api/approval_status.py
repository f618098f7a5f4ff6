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
    removed = ("approvalJobName", "approvalJobUid", "approval", "approvalBy")
    return status | (dict.fromkeys(removed) if is_definite else {})


def describe_approval_commands(request: RetrainRequest) -> str:
    """Return a message with the commands that approve or reject the challenger."""
    return (
        "The challenger is stored and awaits approval. To promote it, run: "
        f"kubectl --namespace {request.namespace} annotate --overwrite rtr {request.name} "
        f"{names.ANNOTATION_APPROVAL}=approve. To reject it, run the same command with =reject. "
        "To record a name in the audit trail: "
        f'{names.ANNOTATION_APPROVAL}="approve by Jane Doe".'
    )
