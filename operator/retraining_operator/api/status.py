"""The status of a RetrainRequest from its creation until its Job has an outcome."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from retraining_operator.api.conditions import (
    NOTHING_TO_RECORD,
    Condition,
    ConditionType,
    Status,
    format_conditions,
)
from retraining_operator.api.fields import Fields
from retraining_operator.api.job import Job
from retraining_operator.api.ownership import build_launches_field
from retraining_operator.api.pod_problems import WAITING_REASONS, PodProblem
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.contract import Failure, to_line

GOES_ON = (
    "The run continues by itself once this is solved. "
    "triggers.startTimeoutSeconds and the deadline count meanwhile."
)
NO_VERDICT = "The run has no verdict yet."
UNCOUNTED = {ConditionReason.EVICTED, Failure.AUDIT_PENDING}
"""Reasons of failed pods that the Job's podFailurePolicy does not count."""


def build_status(request: RetrainRequest, conditions: Iterable[Condition], now: datetime) -> Status:
    """Build the part of a status that every status has.

    Args:
        request: The request with its stored status.
        conditions: The conditions that are set. All others keep their stored value.
        now: The transition time of conditions whose status changes.

    Returns:
        The conditions, the observed generation, and `waitingFor` without a value.
    """
    stored = request.conditions
    merged = dict(stored)
    if not stored[ConditionType.RECORDED].reason:
        merged[ConditionType.RECORDED] = NOTHING_TO_RECORD
    merged |= {condition.type: condition for condition in conditions}
    ordered = [merged[kind] for kind in ConditionType]
    return {
        "observedGeneration": request.generation,
        "conditions": format_conditions(ordered, stored, request.generation, now),
        "waitingFor": None,
    }


def build_unfinished_status(
    request: RetrainRequest, reason: str, message: str, now: datetime
) -> Status:
    """Build the status of a request without a verdict.

    Args:
        request: The request.
        reason: The reason of the condition Succeeded.
        message: The message of the condition Succeeded.
        now: The present time.

    Returns:
        The status.
    """
    succeeded = Condition(ConditionType.SUCCEEDED, "Unknown", reason, message)
    promoted = Condition(ConditionType.PROMOTED, "Unknown", reason, NO_VERDICT)
    return build_status(request, [succeeded, promoted], now)


def build_waiting_status(
    request: RetrainRequest, reason: ConditionReason, message: str, now: datetime
) -> Status:
    """Build the status of a request that has no Job.

    Args:
        request: The request.
        reason: Why it waits.
        message: The same as text.
        now: The present time.

    Returns:
        The status. It removes the name of a Job that the API server has refused.
    """
    status = build_unfinished_status(request, reason, message, now)
    return status | ({"jobName": None, "jobUid": None} if request.status.get("jobName") else {})


def build_launching_status(
    request: RetrainRequest, job: str, now: datetime, digest: str = ""
) -> Status:
    """Build the status that announces the creation of a Job.

    It is written before the Job is created, at the resource version that was planned with. If two
    operators plan differently at the same time, the API server therefore refuses one of them.

    Args:
        request: The request.
        job: The name of the Job.
        now: The present time.
        digest: The digest by which the Job will be recognized.

    Returns:
        The status.
    """
    succeeded = Condition(
        ConditionType.SUCCEEDED,
        "Unknown",
        ConditionReason.LAUNCHING,
        f"The Job {job} is being created.",
    )
    # The reason of an earlier refusal stays in Promoted, so that the same refusal is reported once.
    promoted = request.conditions[ConditionType.PROMOTED]
    if not promoted.reason:
        promoted = Condition(
            ConditionType.PROMOTED, "Unknown", ConditionReason.LAUNCHING, NO_VERDICT
        )
    return (
        build_status(request, [succeeded, promoted], now)
        | {"jobName": job, "jobUid": None}
        | build_launches_field(request, digest)
    )


def build_unconfirmed_status(
    request: RetrainRequest, job: str, message: str, now: datetime
) -> Status:
    """Build the status of a request whose Job may or may not have been created.

    The name of the Job stays, because the API server may have stored the Job although it answered
    with an error.

    Args:
        request: The request.
        job: The name of the Job.
        message: What the API server answered.
        now: The present time.

    Returns:
        The status.
    """
    reason = ConditionReason.JOB_REFUSED_FOR_NOW
    return build_unfinished_status(request, reason, message, now) | {"jobName": job}


def build_launched_status(request: RetrainRequest, job: Job, now: datetime) -> Status:
    """Build the status of a request whose Job is not finished.

    Args:
        request: The request with its stored status.
        job: The Job.
        now: The present time.

    Returns:
        The status, with what the pod waits for in `waitingFor`.
    """
    stored = request.conditions[ConditionType.SUCCEEDED]
    reason, message = describe_job_progress(job, stored.reason, stored.message)
    status = build_unfinished_status(request, reason, message, now)
    is_stored_problem = reason in WAITING_REASONS and not job.waiting_for
    waiting_for = read_waiting_for(request) if is_stored_problem else job.waiting_for
    return status | build_waiting_for_field(waiting_for) | build_job_fields(job)


def describe_job_progress(job: Job, reason: str, message: str) -> tuple[str, str]:
    """Describe an unfinished Job.

    Args:
        job: The Job, with what its pods show.
        reason: The stored reason.
        message: The stored message.

    Returns:
        The new reason and message.
    """
    if waiting := describe_job_wait(job):
        return waiting
    if job.ready or job.is_trainer_running:
        after = f", after: {job.last_failure.message}" if job.last_failure else ""
        attempt = f" (attempt {job.failed + 1} of {job.retries + 1}){after}" if job.failed else ""
        return ConditionReason.RUNNING, f"The Job {job.name} is running{attempt or '.'}"
    if job.last_failure and not job.is_failing and not job.succeeded:
        if job.last_failure.reason in UNCOUNTED:
            return ConditionReason.RETRYING, f"{job.last_failure.message} Another pod follows."
        if 0 < job.failed <= job.retries:
            return (
                ConditionReason.RETRYING,
                f"Attempt {job.failed} of {job.retries + 1} failed: {job.last_failure.message} "
                "Another attempt follows.",
            )
    # The stored reason is kept in two cases. A pod that has ended is no longer ready, but its Job
    # is finished only a moment later. A pod that is being deleted waits for nothing, but if the
    # deadline has passed, what it waited for explains why.
    is_ending = reason in {ConditionReason.RUNNING, ConditionReason.RETRYING}
    if is_ending or (reason in WAITING_REASONS and not job.is_starting):
        return reason, message
    return (
        ConditionReason.JOB_CREATED,
        f"The Job {job.name} was created. Its pod is not running yet.",
    )


def describe_job_wait(job: Job) -> tuple[str, str] | None:
    """Return the reason and the message if something keeps a Job's pod from starting, else None."""
    if job.waiting_for:
        return job.waiting_for.reason, f"{job.waiting_for.message} {GOES_ON}"
    if job.is_suspended:
        return (
            ConditionReason.JOB_SUSPENDED,
            f"The Job {job.name} is suspended (spec.suspend of the Job). "
            "It starts once that is false.",
        )
    return None


def read_waiting_for(request: RetrainRequest) -> PodProblem | None:
    """Read from the status what the pod of the current Job waits for. Returns None for nothing."""
    stored = Fields.of(request.status).fields("waitingFor")
    reason, message = stored.text("reason"), stored.text("message")
    return PodProblem(reason, message) if reason and message else None


def build_waiting_for_field(problem: PodProblem | None) -> Status:
    """Build the status field for what a pod waits for. None removes the stored value."""
    value = None
    if problem:
        value = {"reason": str(problem.reason), "message": to_line(problem.message)}
    return {"waitingFor": value}


def build_job_fields(job: Job) -> Status:
    """Build the status fields that come from the Job itself."""
    fields = {
        "jobName": job.name,
        "jobUid": job.uid,
        "attempts": job.active + job.failed + job.succeeded,
        "startTime": job.started_at,
        "completionTime": job.finished_at,
    }
    return {field: value for field, value in fields.items() if value is not None}
