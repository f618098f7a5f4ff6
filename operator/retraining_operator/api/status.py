"""The status of a RetrainRequest at each turn of its story, the run's figures included. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic.alias_generators import to_camel

from retraining_operator.api import names
from retraining_operator.api.admission import Merge, Refuse
from retraining_operator.api.conditions import (
    TO_BE_RECORDED,
    Status,
    Truth,
    Values,
    build_condition,
    build_conditions,
    read_condition_values,
)
from retraining_operator.api.job import Job
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.pod import WAITING_REASONS, PodProblem
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.contract import Failure, Result, Withheld

GOES_ON = "It goes on by itself once that is solved, and the deadline counts meanwhile."
NO_VERDICT = "The run has no verdict yet."
UNCOUNTED = {ConditionReason.EVICTED, Failure.AUDIT_PENDING}
"""Ends of a pod that the Job's podFailurePolicy ignores."""


def build_unfinished_status(
    request: RetrainRequest, reason: str, message: str, now: datetime
) -> Status:
    """Build the conditions of a request that has no verdict yet."""
    return build_conditions(
        request, ("Unknown", reason, message), ("Unknown", reason, NO_VERDICT), now
    )


def build_waiting_status(
    request: RetrainRequest, reason: ConditionReason, message: str, now: datetime
) -> Status:
    """Build the status of a request whose Job is not created yet."""
    status = build_unfinished_status(request, reason, message, now)
    return status | ({"jobName": None} if request.status.get("jobName") else {})


def build_launching_status(request: RetrainRequest, job: str, now: datetime) -> Status:
    """Build the status that says what is about to be done, before it is done.

    It is written at the resource version that was decided upon: of two operators that decide
        differently at once, one is refused.
    """
    # Why an earlier try was refused stays in the other condition, so that the same refusal is told
    # once.
    promoted = read_condition_values(request, "Promoted") or (
        "Unknown",
        ConditionReason.LAUNCHING,
        NO_VERDICT,
    )
    succeeded: Values = ("Unknown", ConditionReason.LAUNCHING, f"The Job {job} is being created.")
    return build_conditions(request, succeeded, promoted, now) | {"jobName": job}


def build_unconfirmed_status(
    request: RetrainRequest, job: str, message: str, now: datetime
) -> Status:
    """Build the status of a request whose Job could not be created, as far as is known.

    The Job's name stays: the API server may have stored the Job although its answer was an error.
    """
    return build_unfinished_status(request, ConditionReason.JOB_REFUSED_FOR_NOW, message, now) | {
        "jobName": job
    }


def build_not_launched_status(
    request: RetrainRequest, admission: Merge | Refuse, now: datetime
) -> Status:
    """Build the final status of a request that will have no Job."""
    status = build_finished_status(request, JobOutcome(admission.reason, admission.message), now)
    return status | ({"mergedInto": admission.into.name} if isinstance(admission, Merge) else {})


def build_launched_status(request: RetrainRequest, job: Job, now: datetime) -> Status:
    """Build the status of a request whose Job is not finished."""
    stood = request.condition("Succeeded")
    reason, message = describe_job_progress(job, stood.get("reason", ""), stood.get("message", ""))
    status = build_unfinished_status(request, reason, message, now)
    return status | build_job_fields(job)


def describe_job_progress(job: Job, reason: str, message: str) -> tuple[str, str]:
    """Say where an unfinished Job stands, by what it and its pods tell and by what was said last."""
    tries = f"{job.failed} of {job.retries + 1}"
    if waits := describe_job_wait(job):
        return waits
    if job.ready or job.is_trainer_running:
        after = f", after: {job.last_failure.message}" if job.last_failure else ""
        attempt = f" (attempt {job.failed + 1} of {job.retries + 1}){after}" if job.failed else ""
        return ConditionReason.RUNNING, f"The Job {job.name} runs{attempt or '.'}"
    if job.last_failure and not job.is_failing and not job.succeeded:
        if job.last_failure.reason in UNCOUNTED:
            return ConditionReason.RETRYING, f"{job.last_failure.message} Another pod follows."
        if 0 < job.failed <= job.retries:
            return (
                ConditionReason.RETRYING,
                f"Attempt {tries} has failed: {job.last_failure.message} Another one follows.",
            )
    # A pod that has ended is not ready any more, a moment before its Job is finished; one that is
    # told to end waits
    # for nothing, and what it waited for is what a passed deadline is told with.
    if reason in {ConditionReason.RUNNING, ConditionReason.RETRYING} or (
        reason in WAITING_REASONS and not job.is_starting
    ):
        return reason, message
    return (
        ConditionReason.JOB_CREATED,
        f"The Job {job.name} is created; its pod is not running yet.",
    )


def describe_job_wait(job: Job) -> tuple[str, str] | None:
    """Return what keeps a Job's pod from starting; None if nothing does."""
    if job.waiting_for:
        return job.waiting_for.reason, f"{job.waiting_for.message} {GOES_ON}"
    if job.is_suspended:
        message = (
            f"The Job {job.name} is suspended (its own spec.suspend). It starts once that is false."
        )
        return ConditionReason.JOB_SUSPENDED, message
    return None


def read_waiting_for(request: RetrainRequest, task: names.Task) -> PodProblem | None:
    """Give what the pod of a task's Job waits for, as it stands in the status."""
    stood = request.condition("Succeeded" if task is names.Task.TRAIN else "Promoted")
    if stood.get("reason") not in WAITING_REASONS:
        return None
    return PodProblem(stood["reason"], stood["message"].removesuffix(f" {GOES_ON}"))


def build_finished_status(
    request: RetrainRequest, outcome: JobOutcome, now: datetime, job: Job | None = None
) -> Status:
    """Build the final status: Succeeded is True where the run has a verdict, whichever it is."""
    result = outcome.result
    succeeded: Truth = (
        "True"
        if outcome.reason == ConditionReason.RESULT_LOST or (result and result.verdict)
        else "False"
    )
    status = build_conditions(
        request,
        (succeeded, outcome.reason, outcome.message),
        build_promoted_values(request, outcome),
        now,
        TO_BE_RECORDED,
    )
    return (
        status
        | (build_job_fields(job) if job else {})
        | (build_result_fields(result) if result else {})
    )


def build_awaiting_approval_status(
    request: RetrainRequest, reason: str, message: str, now: datetime
) -> Status:
    """Build the status of a request whose challenger awaits a person's decision."""
    return build_conditions(
        request, read_succeeded_values(request), ("Unknown", reason, message), now
    )


def build_applying_approval_status(request: RetrainRequest, job: Job, now: datetime) -> Status:
    """Build the status of a request whose decision is taken and not carried out yet."""
    reason: str = ConditionReason.DECIDING
    message = f'The decision "{job.approval}" is carried out by the Job {job.name}.'
    stood = read_waiting_for(request, names.Task.DECIDE)
    if job.waiting_for:
        reason, message = job.waiting_for.reason, f"{job.waiting_for.message} {GOES_ON}"
    elif stood and not job.ready and not job.is_starting:
        reason, message = stood.reason, f"{stood.message} {GOES_ON}"
    return build_awaiting_approval_status(request, reason, message, now) | build_approval_fields(
        job
    )


def build_applied_approval_status(
    request: RetrainRequest, outcome: JobOutcome, now: datetime, job: Job | None = None
) -> Status:
    """Build the status of a request whose decision is carried out, or for good cannot be.

    How the challenger was judged stays as it was; a null takes a field out of the stored status.
    """
    result = outcome.result
    status = build_conditions(
        request,
        read_succeeded_values(request),
        build_promoted_values(request, outcome),
        now,
        TO_BE_RECORDED,
    )
    facts = {
        "withheld": Withheld.REJECTED if result and result.withheld == Withheld.REJECTED else None,
        "version": result and result.version,
        "approvalTime": job and job.finished_at,
    }
    return status | (build_approval_fields(job) if job else {}) | facts


def set_recorded_condition(
    request: RetrainRequest, status: Status, answer: Values, now: datetime
) -> Status:
    """Put the database's answer into a status that is about to be written, or that stands."""
    kept = [each for each in status["conditions"] if each["type"] != "Recorded"]
    before = request.condition("Recorded") or None
    return status | {
        "conditions": [*kept, build_condition("Recorded", answer, before, request.generation, now)]
    }


def build_outcome_status(
    request: RetrainRequest,
    task: names.Task,
    outcome: JobOutcome,
    now: datetime,
    job: Job | None = None,
) -> Status:
    """Build the status after the end of one of a request's tasks."""
    build = build_finished_status if task is names.Task.TRAIN else build_applied_approval_status
    return build(request, outcome, now, job)


def build_deleted_job_status(
    request: RetrainRequest, task: names.Task, job: str, pod: str, now: datetime
) -> Status:
    """Build the status of a request whose Job somebody has deleted while its pod is not gone yet."""
    message = (
        f"The Job {job} was deleted. Its pod {pod} is still there, and a verdict that it comes to counts; "
        "to end it at once, delete the pod (with --force where its node is lost)."
    )
    if task is names.Task.DECIDE:
        return build_awaiting_approval_status(request, ConditionReason.JOB_DELETED, message, now)
    return build_unfinished_status(request, ConditionReason.JOB_DELETED, message, now)


def describe_deleted_job(request: RetrainRequest, task: names.Task, job: str) -> str:
    """Say what it means that somebody has deleted a Job."""
    if task is names.Task.TRAIN:
        return (
            f"The Job {job} was deleted before its outcome was known. It is not started again; "
            "apply a new RetrainRequest if the retrain is still wanted."
        )
    return (
        f"The Job {job} was deleted before its outcome was known, and the decision is not carried out a second time; "
        f"the row of run {request.uid} in the table retraining_runs says what became of the challenger."
    )


def read_succeeded_values(request: RetrainRequest) -> tuple[Truth, str, str]:
    """Give the condition Succeeded as it stands."""
    stands = request.condition("Succeeded")
    return stands["status"], stands["reason"], stands["message"]


def build_promoted_values(request: RetrainRequest, outcome: JobOutcome) -> tuple[Truth, str, str]:
    """Say whether the challenger went live, and if not, what a person can do where one can do something."""
    result = outcome.result
    withheld = result.withheld if result else None
    if outcome.reason == ConditionReason.RESULT_LOST or (
        outcome.reason == ConditionReason.JOB_DELETED and request.is_awaiting_approval
    ):
        return "Unknown", outcome.reason, outcome.message
    if result and result.promoted:
        return "True", outcome.reason, outcome.message
    if withheld == Withheld.AWAITING_DECISION:
        return "Unknown", withheld, describe_approval_commands(request)
    if withheld == Withheld.DRY_RUN:
        message = "Nothing was published: this was a dry run. Apply a RetrainRequest with dryRun: false to publish."
        return "False", withheld, message
    again = " The decision is not carried out again; apply a new RetrainRequest if the model is still wanted."
    failed = request.is_awaiting_approval and not (result and result.verdict)
    return "False", withheld or outcome.reason, outcome.message + again * failed


def describe_approval_commands(request: RetrainRequest) -> str:
    """Say how a person decides."""
    return (
        "The challenger is stored and awaits a decision. To put it live: "
        f"kubectl --namespace {request.namespace} annotate --overwrite rtr {request.name} "
        f"{names.ANNOTATION_APPROVAL}=approve. To keep it out: the same with =reject. "
        f'To leave a name in the audit trail: {names.ANNOTATION_APPROVAL}="approve by Jane Doe".'
    )


def build_approval_fields(job: Job) -> Status:
    """Give the decision that a Job carries out: the Job's word counts, the annotation may have changed since."""
    facts = {"approvalJobName": job.name}
    if job.approval:
        facts |= {"approval": str(job.approval.decision), "approvalBy": job.approval.author}
    return {field: value for field, value in facts.items() if value}


def build_job_fields(job: Job) -> Status:
    """Give what the Job itself tells."""
    facts = {
        "jobName": job.name,
        "attempts": job.active + job.failed + job.succeeded,
        "startTime": job.started_at,
        "completionTime": job.finished_at,
    }
    return {field: value for field, value in facts.items() if value is not None}


def build_result_fields(result: Result) -> Status:
    """Give what the result document tells."""
    facts = {
        "verdict": result.verdict,
        "version": result.version,
        "championVersion": result.champion_version,
        "samples": result.n_samples,
        "window": result.window and result.window.model_dump(mode="json"),
        "withheld": result.withheld,
        "figures": result.figures
        and to_camel_keys(result.figures.model_dump(mode="json", exclude_none=True)),
    }
    return {field: value for field, value in facts.items() if value is not None}


def to_camel_keys(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Name figures as Kubernetes names fields."""
    return {
        to_camel(name): to_camel_keys(value) if isinstance(value, dict) else value
        for name, value in figures.items()
    }
