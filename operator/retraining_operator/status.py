"""The status of a RetrainRequest, rebuilt whole at each pass: conditions, reasons and the run's figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from retraining_operator.contract import Result
from retraining_operator.job import Job
from retraining_operator.outcome import Outcome
from retraining_operator.reason import Reason
from retraining_operator.request import RetrainRequest

Status = dict[str, Any]
Truth = Literal["True", "False", "Unknown"]

MESSAGE_LIMIT_CHARACTERS = 2000
"""Keeps `kubectl describe` readable, whatever a library's error says."""


def waiting(request: RetrainRequest, reason: Reason, message: str, now: datetime) -> Status:
    """Build the status of a request whose Job is not created yet."""
    return conditions_of(request, ("Unknown", reason, message), ("Unknown", reason, "The run has no verdict yet."), now)


def launched(request: RetrainRequest, job: Job, now: datetime) -> Status:
    """Build the status of a request whose Job is not finished."""
    # A pod that has ended is not ready any more, a moment before its Job is finished.
    if job.ready or request.standing[0] == Reason.RUNNING:
        reason, message = Reason.RUNNING, f"The Job {job.name} runs."
    else:
        reason, message = Reason.JOB_CREATED, f"The Job {job.name} is created; its pod is not running yet."
    status = conditions_of(
        request, ("Unknown", reason, message), ("Unknown", reason, "The run has no verdict yet."), now
    )
    return status | facts_of(job)


def finished(request: RetrainRequest, outcome: Outcome, now: datetime, job: Job | None = None) -> Status:
    """Build the final status: Succeeded is True where the run has a verdict, whichever it is."""
    reason, message, result = outcome.reason, outcome.message, outcome.result
    lost = reason == Reason.RESULT_LOST
    succeeded: Truth = "True" if lost or (result and result.verdict) else "False"
    promoted: Truth = "Unknown" if lost else "True" if result and result.promoted else "False"
    status = conditions_of(request, (succeeded, reason, message), (promoted, reason, message), now)
    return status | (facts_of(job) if job else {}) | (figures_of(result) if result else {})


def conditions_of(
    request: RetrainRequest,
    succeeded: tuple[Truth, str, str],
    promoted: tuple[Truth, str, str],
    now: datetime,
) -> Status:
    """Build both conditions; a condition keeps its transition time while its status stays the same."""
    before = {condition["type"]: condition for condition in request.status.get("conditions", ())}
    return {
        "observedGeneration": request.generation,
        "conditions": [
            condition(kind, values, before.get(kind), request.generation, now)
            for kind, values in (("Succeeded", succeeded), ("Promoted", promoted))
        ],
    }


def condition(
    kind: str,
    values: tuple[Truth, str, str],
    before: Mapping[str, Any] | None,
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    """Build one condition."""
    truth, reason, message = values
    kept = before["lastTransitionTime"] if before and before["status"] == truth else None
    return {
        "type": kind,
        "status": truth,
        "reason": str(reason),
        "message": message[:MESSAGE_LIMIT_CHARACTERS],
        "lastTransitionTime": kept or timestamp(now),
        "observedGeneration": generation,
    }


def facts_of(job: Job) -> Status:
    """Give what the Job itself tells."""
    facts = {
        "jobName": job.name,
        "attempts": job.active + job.failed + job.succeeded,
        "startTime": job.started_at,
        "completionTime": job.finished_at,
    }
    return {field: value for field, value in facts.items() if value is not None}


def figures_of(result: Result) -> Status:
    """Give what the result document tells."""
    facts = {
        "verdict": result.verdict,
        "version": result.version,
        "championVersion": result.champion_version,
        "samples": result.n_samples,
        "window": result.window and result.window.model_dump(mode="json"),
        "figures": result.figures and result.figures.model_dump(mode="json", exclude_none=True),
    }
    return {field: value for field, value in facts.items() if value is not None}


def timestamp(moment: datetime) -> str:
    """Write a time as Kubernetes does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
