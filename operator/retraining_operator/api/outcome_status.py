"""The status of a RetrainRequest whose Job has an outcome, or that will have no Job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic.alias_generators import to_camel

from retraining_operator.api import names
from retraining_operator.api.admission import Merge, Refuse
from retraining_operator.api.approval_status import (
    build_approval_fields,
    build_awaiting_approval_status,
    describe_approval_commands,
)
from retraining_operator.api.conditions import (
    TO_BE_RECORDED,
    Condition,
    ConditionType,
    Status,
    Truth,
    format_conditions,
)
from retraining_operator.api.job import Job
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.status import (
    build_job_fields,
    build_status,
    build_unfinished_status,
)
from retraining_operator.contract import Result, Withheld


def build_outcome_status(
    request: RetrainRequest,
    task: names.Task,
    outcome: JobOutcome,
    now: datetime,
    job: Job | None = None,
) -> Status:
    """Build the status after the end of a task.

    Args:
        request: The request with its stored status.
        task: The task that ended.
        outcome: How it ended.
        now: The present time.
        job: The Job of the task; None if there is none, or not any more.

    Returns:
        The status.
    """
    is_training = task is names.Task.TRAIN
    build = build_finished_status if is_training else build_applied_approval_status
    return build(request, outcome, now, job)


def build_not_launched_status(
    request: RetrainRequest, admission: Merge | Refuse, now: datetime
) -> Status:
    """Build the final status of a request that will have no Job.

    Args:
        request: The request.
        admission: Why it will have none.
        now: The present time.

    Returns:
        The status.
    """
    status = build_finished_status(request, JobOutcome(admission.reason, admission.message), now)
    return status | ({"mergedInto": admission.into.name} if isinstance(admission, Merge) else {})


def build_finished_status(
    request: RetrainRequest, outcome: JobOutcome, now: datetime, job: Job | None = None
) -> Status:
    """Build the final status of the task `train`.

    Args:
        request: The request with its stored status.
        outcome: How the run ended.
        now: The present time.
        job: The Job, if there is one.

    Returns:
        The status. Succeeded is True if the run has a verdict, whichever it is.
    """
    result = outcome.result
    has_verdict = bool(result and result.verdict)
    truth: Truth = (
        "True" if has_verdict or outcome.reason == ConditionReason.RESULT_LOST else "False"
    )
    succeeded = Condition(ConditionType.SUCCEEDED, truth, outcome.reason, outcome.message)
    promoted = build_promoted_condition(request, outcome)
    status = build_status(request, [succeeded, promoted, TO_BE_RECORDED], now)
    if job:
        status |= build_job_fields(job)
    return status | (build_result_fields(result) if result else {})


def build_applied_approval_status(
    request: RetrainRequest, outcome: JobOutcome, now: datetime, job: Job | None = None
) -> Status:
    """Build the final status of the task `decide`, whether it succeeded or failed.

    Args:
        request: The request with its stored status.
        outcome: How the task ended.
        now: The present time.
        job: The Job, if there is one.

    Returns:
        The status. The condition Succeeded keeps the verdict.
    """
    result = outcome.result
    promoted = build_promoted_condition(request, outcome)
    status = build_status(request, [promoted, TO_BE_RECORDED], now)
    is_rejected = result is not None and result.withheld == Withheld.REJECTED
    return (
        status
        | (build_approval_fields(job) if job else {})
        | {
            "withheld": Withheld.REJECTED if is_rejected else None,
            "version": result and result.version,
            "approvalTime": job and job.finished_at,
        }
    )


def set_recorded_condition(
    request: RetrainRequest, status: Status, recorded: Condition, now: datetime
) -> Status:
    """Replace the condition Recorded in a status.

    Args:
        request: The request with its stored status.
        status: A status with all conditions.
        recorded: The new condition Recorded.
        now: The transition time if the condition changes.

    Returns:
        A copy of the status with the condition replaced.
    """
    others = [each for each in status["conditions"] if each["type"] != ConditionType.RECORDED]
    new = format_conditions([recorded], request.conditions, request.generation, now)
    return status | {"conditions": [*others, *new]}


def build_deleted_job_status(
    request: RetrainRequest, task: names.Task, job: str, pod: str, now: datetime
) -> Status:
    """Build the status of a request whose Job was deleted while its pod still exists.

    Args:
        request: The request.
        task: The task of the Job.
        job: The name of the Job.
        pod: The name of the pod.
        now: The present time.

    Returns:
        The status.
    """
    reason = ConditionReason.JOB_DELETED
    message = (
        f"The Job {job} was deleted. Its pod {pod} still exists, and its verdict will count. "
        "To end it immediately, delete the pod (with --force if its node is lost)."
    )
    if task is names.Task.DECIDE:
        return build_awaiting_approval_status(request, reason, message, now)
    return build_unfinished_status(request, reason, message, now)


def describe_deleted_job(request: RetrainRequest, task: names.Task, job: str) -> str:
    """Describe the consequences of a deleted Job.

    Args:
        request: The request of the Job.
        task: The task of the Job.
        job: The name of the Job.

    Returns:
        The message.
    """
    deleted = f"The Job {job} was deleted before its outcome was known."
    if task is names.Task.TRAIN:
        return (
            f"{deleted} It is not started again. "
            "Apply a new RetrainRequest if the run is still wanted."
        )
    return (
        f"{deleted} The approval is not applied a second time. The row of run {request.uid} in the "
        "table retraining_runs shows whether the challenger went live."
    )


def build_promoted_condition(request: RetrainRequest, outcome: JobOutcome) -> Condition:
    """Build the condition Promoted from the outcome of a task.

    Args:
        request: The request with its stored status.
        outcome: How the task ended.

    Returns:
        The condition. If a person can do something, its message says what.
    """
    result = outcome.result
    withheld = result.withheld if result else None
    condition = Condition(
        ConditionType.PROMOTED, "Unknown", withheld or outcome.reason, outcome.message
    )
    is_lost_approval = (
        outcome.reason == ConditionReason.JOB_DELETED and request.is_awaiting_approval
    )
    if outcome.reason == ConditionReason.RESULT_LOST or is_lost_approval:
        return replace(condition, reason=outcome.reason)
    if result and result.promoted:
        return replace(condition, status="True", reason=outcome.reason)
    if withheld == Withheld.AWAITING_APPROVAL:
        return replace(condition, message=describe_approval_commands(request))
    if withheld == Withheld.DRY_RUN:
        message = (
            "Nothing was published, because this was a dry run. "
            "To publish, apply a RetrainRequest without dryRun, or set trainer.dryRun to false."
        )
        return replace(condition, status="False", message=message)
    message = outcome.message
    if request.is_awaiting_approval and not (result and result.verdict):
        message += (
            " The approval is not applied again. "
            "Apply a new RetrainRequest if the model is still wanted."
        )
    return replace(condition, status="False", message=message)


def build_result_fields(result: Result) -> Status:
    """Build the status fields that come from the result document."""
    metrics = result.metrics and result.metrics.model_dump(mode="json", exclude_none=True)
    fields = {
        "verdict": result.verdict,
        "version": result.version,
        "championVersion": result.champion_version,
        "samples": result.n_samples,
        "window": result.window and result.window.model_dump(mode="json"),
        "withheld": result.withheld,
        "metrics": metrics and to_camel_keys(metrics),
    }
    return {field: value for field, value in fields.items() if value is not None}


def to_camel_keys(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with all its keys, also nested ones, in camelCase."""
    return {
        to_camel(name): to_camel_keys(value) if isinstance(value, dict) else value
        for name, value in fields.items()
    }
