"""How a finished Job ended, read from the Job, its pods and their result document. Pure; driven by the reconciler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retraining_operator import names
from retraining_operator.contract import ExitCode, Failure, Result, read_result
from retraining_operator.job import Job
from retraining_operator.reason import Reason

FAILURE_OF_EXIT: dict[int | None, Failure] = {
    ExitCode.BAD_DATA: Failure.BAD_DATA,
    ExitCode.INTERNAL_ERROR: Failure.INTERNAL_ERROR,
    ExitCode.DEPENDENCY_AWAY: Failure.DEPENDENCY_AWAY,
    ExitCode.AUDIT_PENDING: Failure.AUDIT_PENDING,
    ExitCode.BAD_CONFIGURATION: Failure.BAD_CONFIGURATION,
}


@dataclass(frozen=True)
class Outcome:
    """The end of a run: a verdict or a reason, a sentence, and the result document where there is one."""

    reason: str
    message: str
    result: Result | None = None


@dataclass(frozen=True)
class Attempt:
    """One pod's end."""

    job_uid: str
    finished_at: str
    exit_code: int | None
    reason: str
    document: str


def read_attempt(pod: Mapping[str, Any]) -> Attempt | None:
    """Read how a pod's trainer ended; None while it has not."""
    owners = pod["metadata"].get("ownerReferences") or ()
    job_uid = next((owner["uid"] for owner in owners if owner.get("controller")), "")
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        end = (status.get("state") or {}).get("terminated")
        if status["name"] == names.TRAINER_CONTAINER and end:
            return Attempt(
                job_uid=job_uid,
                finished_at=end.get("finishedAt") or "",
                exit_code=end.get("exitCode"),
                reason=end.get("reason") or "",
                document=end.get("message") or "",
            )
    return None


def read_outcome(job: Job, attempts: Iterable[Attempt]) -> Outcome:
    """Read how a finished Job ended, from those of its request's pods that are its own.

    A verdict counts whatever became of the Job afterwards: its model may be live and its row is written.
    """
    own = (attempt for attempt in attempts if attempt.job_uid == job.uid)
    attempts = sorted(own, key=lambda attempt: attempt.finished_at)
    verdicts = [result for attempt in attempts if (result := read_result(attempt.document)) and result.verdict]
    if verdicts:
        return Outcome(str(verdicts[-1].verdict), verdicts[-1].message, verdicts[-1])
    return lost(job) if job.end == "Complete" else failed(job, attempts)


def lost(job: Job) -> Outcome:
    """Say where the verdict is that could not be read."""
    return Outcome(
        Reason.RESULT_LOST,
        f"The Job {job.name} is complete, but its pod was gone before its result could be read; "
        f"the row of run {job.request_uid} in the table retraining_runs holds the verdict.",
    )


def failed(job: Job, attempts: Sequence[Attempt]) -> Outcome:
    """Say why a Job failed: by the Job's own reason, then by its last pod."""
    tries = f"The Job {job.name} gave up after {job.failed} failed pod(s)."
    last = attempts[-1] if attempts else None
    result = read_result(last.document) if last else None
    if job.replaced_by:
        message = f"The newer request {job.replaced_by} has replaced it (triggers.concurrencyPolicy: Replace)."
        return Outcome(Reason.REPLACED, message, result)
    if job.end_reason == "DeadlineExceeded":
        return Outcome(
            Reason.DEADLINE_EXCEEDED,
            f"The run took longer than its deadline and was ended; raise spec.deadlineSeconds. {job.end_message}",
            result,
        )
    if result:
        return Outcome(result.reason, f"{result.message} {tries}", result)
    if last and last.reason == "OOMKilled":
        return Outcome(
            Reason.OUT_OF_MEMORY,
            f"The trainer was ended for using more memory than its limit; raise spec.resources.limits.memory. {tries}",
        )
    code = last.exit_code if last else None
    if code in FAILURE_OF_EXIT:
        return Outcome(FAILURE_OF_EXIT[code], f"The trainer ended with exit code {code}. {tries}")
    ended = f"The trainer ended with exit code {code} and left no result. " if last else ""
    return Outcome(Reason.JOB_FAILED, f"{ended}{tries} {job.end_reason}: {job.end_message}")
