"""How a finished Job ended, read from the Job, its pods and their result document.

Pure; driven by the reconciler.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retraining_operator.api.job import Job
from retraining_operator.api.kubernetes_errors import NODE_REJECTED
from retraining_operator.api.pod import Attempt, PodProblem
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.contract import ExitCode, Failure, Result, read_result

FAILURE_OF_EXIT: dict[int | None, Failure] = {
    ExitCode.BAD_DATA: Failure.BAD_DATA,
    ExitCode.INTERNAL_ERROR: Failure.INTERNAL_ERROR,
    ExitCode.DEPENDENCY_UNAVAILABLE: Failure.DEPENDENCY_UNAVAILABLE,
    ExitCode.AUDIT_PENDING: Failure.AUDIT_PENDING,
    ExitCode.BAD_CONFIGURATION: Failure.BAD_CONFIGURATION,
}
ADVICE: dict[str, str] = {
    Failure.BAD_DATA: "Another try would fail as well, so there was none; mend the events and apply a new request.",
    Failure.BAD_CONFIGURATION: (
        "Another try would fail as well, so there was none; correct the setting or the table and apply a new request."
    ),
    Failure.DEPENDENCY_UNAVAILABLE: "Apply a new request once the database and Redis answer.",
    Failure.INTERNAL_ERROR: "Its log has the traceback; please report it.",
    Failure.AUDIT_PENDING: "A later run writes the row that is missing in model_versions, at its own end.",
}
"""What a person does once a run has failed for good."""

KILLED, ASKED_TO_END = 137, 143
"""Exit codes of a process that was ended by SIGKILL or SIGTERM, as a deadline does it."""


@dataclass(frozen=True)
class JobOutcome:
    """The end of a run: a verdict or a reason, a sentence, and the result document where there is one."""

    reason: str
    message: str
    result: Result | None = None


def select_job_attempts(job: Job, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Give those of a request's pods that are this Job's and have ended, in the order in which they did."""
    return sorted(
        (each for each in attempts if each.job_uid == job.uid), key=lambda each: each.finished_at
    )


def is_decisive(attempt: Attempt) -> bool:
    """Return whether a trainer's end decides its run: it ended with exit code 0, or left a verdict."""
    result = read_result(attempt.document)
    return attempt.exit_code == 0 or bool(result and result.verdict)


def read_outcome(
    job: Job, attempts: Iterable[Attempt], held: PodProblem | None = None
) -> JobOutcome:
    """Read how a finished Job ended, from those of its request's pods that are its own.

    A verdict counts whatever became of the Job afterwards: its model may be live and its row is
        written.

    Args:
        job: the finished Job, or one that goes on although its trainer has ended successfully.
        attempts: how pods of its request ended.
        held: what the last pod waited for when it was last seen, if it did.
    """
    attempts = select_job_attempts(job, attempts)
    verdicts = [
        result
        for attempt in attempts
        if (result := read_result(attempt.document)) and result.verdict
    ]
    if verdicts:
        return JobOutcome(str(verdicts[-1].verdict), verdicts[-1].message, verdicts[-1])
    return (
        build_lost_outcome(job)
        if job.end in {"Complete", None}
        else build_failed_outcome(job, attempts, held)
    )


def build_lost_outcome(job: Job) -> JobOutcome:
    """Say where the verdict is that could not be read."""
    return JobOutcome(
        ConditionReason.RESULT_LOST,
        f"The trainer of the Job {job.name} has succeeded, but its result could not be read from its pod; "
        f"the row of run {job.request_uid} in the table retraining_runs holds the verdict.",
    )


def build_failed_outcome(
    job: Job, attempts: Sequence[Attempt], held: PodProblem | None
) -> JobOutcome:
    """Say why a Job failed: by the Job's own reason, then by its last pod."""
    last = attempts[-1] if attempts else None
    result = read_result(last.document) if last else None
    if job.replaced_by:
        message = f"The newer request {job.replaced_by} has replaced it (triggers.concurrencyPolicy: Replace)."
        return JobOutcome(ConditionReason.REPLACED, message, result)
    if job.end_reason == "DeadlineExceeded":
        return build_deadline_outcome(job, attempts, held, result)
    tries = f"The Job {job.name} gave up after {job.failed} failed pod(s)."
    if last is None:
        return JobOutcome(
            ConditionReason.JOB_FAILED, f"{tries} {job.end_reason}: {job.end_message}"
        )
    why = explain_failed_attempt(last)
    return JobOutcome(
        why.reason, " ".join(filter(None, (why.message, ADVICE.get(why.reason), tries))), result
    )


def build_deadline_outcome(
    job: Job, attempts: Sequence[Attempt], held: PodProblem | None, result: Result | None
) -> JobOutcome:
    """Say what a run was doing when its deadline passed."""
    limit = f" of {job.deadline_seconds:,} s" if job.deadline_seconds else ""
    live = next(
        (
            doc
            for each in reversed(attempts)
            if (doc := read_result(each.document)) and doc.promoted
        ),
        None,
    )
    if live:
        advice = ADVICE[Failure.AUDIT_PENDING]
        return JobOutcome(
            Failure.AUDIT_PENDING,
            f"{live.message} The deadline{limit} passed meanwhile. {advice}",
            live,
        )
    if held:
        text = f"The deadline{limit} passed while the pod waited to start, which counts. {held.message}"
        return JobOutcome(held.reason, text)
    if attempts and attempts[-1].disruption:
        return JobOutcome(
            ConditionReason.EVICTED,
            f"The deadline{limit} passed. {explain_failed_attempt(attempts[-1]).message}",
        )
    told = [
        explain_failed_attempt(each).message
        for each in attempts
        if each.exit_code not in {KILLED, ASKED_TO_END}
    ]
    before = f" A pod before had ended so: {told[-1]}" if told else ""
    return JobOutcome(
        ConditionReason.DEADLINE_EXCEEDED,
        f"The run took longer than its deadline{limit} and was ended; raise spec.deadlineSeconds "
        f"(job.deadlineSeconds for all).{before}",
        result,
    )


def explain_failed_attempt(attempt: Attempt) -> PodProblem:
    """Say why one pod failed, in words that are right whether or not another one follows."""
    result = read_result(attempt.document)
    if attempt.disruption:
        text = f"Kubernetes took the pod {attempt.pod} away ({attempt.disruption.rstrip('.')})."
        return PodProblem(
            ConditionReason.EVICTED,
            f"{text} That is no fault of the run and counts as no failed attempt.",
        )
    if attempt.rejection:
        why = attempt.rejection.rstrip(".")
        return PodProblem(
            NODE_REJECTED.reason, f"The pod {attempt.pod} failed before its trainer ran: {why}."
        )
    if result:
        return PodProblem(result.reason, result.message)
    if attempt.reason == "OOMKilled":
        return PodProblem(
            ConditionReason.OUT_OF_MEMORY,
            "The trainer was ended for using more memory than its limit; raise spec.resources.limits.memory "
            "(job.resources for all) or read fewer rows.",
        )
    code = attempt.exit_code
    if code in FAILURE_OF_EXIT:
        return PodProblem(
            FAILURE_OF_EXIT[code], f"The trainer ended with exit code {code} and left no result."
        )
    told = {
        KILLED: " (killed: by its node when memory ran out there, or by a person)",
        ASKED_TO_END: " (asked to end: its pod was deleted)",
    }
    return PodProblem(
        ConditionReason.JOB_FAILED,
        f"The trainer ended with exit code {code}{told.get(code or 0, '')} and left no result.",
    )
