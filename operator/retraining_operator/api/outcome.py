"""How a finished Job ended, read from the Job, its pods and their result document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retraining_operator.api.attempt_failure import (
    ADVICE,
    ASKED_TO_END,
    KILLED,
    explain_failed_attempt,
)
from retraining_operator.api.job import Job
from retraining_operator.api.pod import Attempt
from retraining_operator.api.pod_problems import PodProblem
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.contract import Failure, Result

NOT_EXPLAINED = PodProblem(
    ConditionReason.CONTAINER_NOT_CREATED,
    "Its pod was never reported to have a problem. Find out what its node waited for, for example "
    "a volume that cannot be mounted: kubectl get events --field-selector reason=FailedMount.",
)
"""What is known of a pod that did not start, and whose node reports no reason for it."""


@dataclass(frozen=True)
class JobOutcome:
    """How a task ended.

    Args:
        reason: The verdict, or why there is none.
        message: A text for people.
        result: The result document, if there is one.
    """

    reason: str
    message: str
    result: Result | None = None


def select_job_attempts(job: Job, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Select the attempts of one Job.

    Args:
        job: The Job.
        attempts: The attempts of all Jobs of the request.

    Returns:
        The attempts of the Job, in the order in which they ended.
    """
    own = [attempt for attempt in attempts if attempt.job_uid == job.uid]
    return sorted(own, key=lambda attempt: attempt.finished_at)


def is_decisive(attempt: Attempt) -> bool:
    """Return whether the run needs no further attempt: exit code 0, or a verdict."""
    return attempt.exit_code == 0 or bool(attempt.result and attempt.result.verdict)


def read_outcome(
    job: Job, attempts: Iterable[Attempt], waiting_for: PodProblem | None = None
) -> JobOutcome:
    """Read how a finished Job ended.

    A verdict counts, whatever happened to the Job afterwards: its model may be live and its row
    may be written.

    Args:
        job: The finished Job, or an unfinished one whose trainer has ended successfully.
        attempts: How pods of its request ended.
        waiting_for: What its last pod was waiting for when it was last seen.

    Returns:
        The outcome.
    """
    attempts = select_job_attempts(job, attempts)
    results = [attempt.result for attempt in attempts]
    verdicts = [result for result in results if result and result.verdict]
    if verdicts:
        return JobOutcome(str(verdicts[-1].verdict), verdicts[-1].message, verdicts[-1])
    if job.end in {"Complete", None}:
        return build_lost_outcome(job)
    return build_failed_outcome(job, attempts, waiting_for)


def build_lost_outcome(job: Job) -> JobOutcome:
    """Build the outcome of a Job that succeeded without a result document that can be read."""
    return JobOutcome(
        ConditionReason.RESULT_LOST,
        f"The trainer of the Job {job.name} succeeded, but its result could not be read from its "
        f"pod. The row of run {job.request_uid} in the table retraining_runs has the verdict.",
    )


def build_failed_outcome(
    job: Job, attempts: Sequence[Attempt], waiting_for: PodProblem | None
) -> JobOutcome:
    """Build the outcome of a failed Job.

    Args:
        job: The Job. A replacement or a passed deadline counts before the failure of its last pod.
        attempts: Its attempts, in the order in which they ended.
        waiting_for: What its last pod was waiting for.

    Returns:
        The outcome.
    """
    last = attempts[-1] if attempts else None
    result = last.result if last else None
    if job.replaced_by:
        by = f"the newer request {job.replaced_by}"
        message = f"It was replaced by {by} (triggers.concurrencyPolicy: Replace)."
        return JobOutcome(ConditionReason.REPLACED, message, result)
    if job.end_reason == "DeadlineExceeded":
        return build_deadline_outcome(job, attempts, waiting_for)
    pods = f"The Job {job.name} failed after {job.failed} failed pod(s)."
    if last is None:
        message = f"{pods} {job.end_reason}: {job.end_message}"
        return JobOutcome(ConditionReason.JOB_FAILED, message)
    failure = explain_failed_attempt(last)
    message = " ".join(filter(None, (failure.message, ADVICE.get(failure.reason), pods)))
    return JobOutcome(failure.reason, message, result)


def build_deadline_outcome(
    job: Job, attempts: Sequence[Attempt], waiting_for: PodProblem | None
) -> JobOutcome:
    """Build the outcome of a Job whose deadline passed.

    Args:
        job: The Job.
        attempts: Its attempts, in the order in which they ended.
        waiting_for: What its last pod was waiting for.

    Returns:
        The outcome. It says what the run was doing.
    """
    limit = f" of {job.deadline_seconds:,} s" if job.deadline_seconds else ""
    results = [attempt.result for attempt in attempts]
    promoted = [result for result in results if result and result.promoted]
    if promoted:
        message = (
            f"{promoted[-1].message} The deadline{limit} passed before its audit row was written. "
            f"{ADVICE[Failure.AUDIT_PENDING]}"
        )
        return JobOutcome(Failure.AUDIT_PENDING, message, promoted[-1])
    if job.start_timeout_seconds:
        return build_unstarted_outcome(job, attempts, waiting_for)
    if waiting_for:
        message = f"The deadline{limit} passed while the pod waited to start. {waiting_for.message}"
        return JobOutcome(waiting_for.reason, message)
    if attempts and attempts[-1].disruption:
        message = f"The deadline{limit} passed. {explain_failed_attempt(attempts[-1]).message}"
        return JobOutcome(ConditionReason.EVICTED, message)
    return JobOutcome(
        ConditionReason.DEADLINE_EXCEEDED,
        f"The run took longer than its deadline{limit} and was ended. Raise spec.deadlineSeconds "
        f"(job.deadlineSeconds for all requests).{describe_earlier_failure(attempts)}",
        results[-1] if results else None,
    )


def build_unstarted_outcome(
    job: Job, attempts: Sequence[Attempt], waiting_for: PodProblem | None
) -> JobOutcome:
    """Build the outcome of a Job that was ended because its trainer did not start.

    Args:
        job: The Job.
        attempts: Its attempts, in the order in which they ended.
        waiting_for: What its last pod was waiting for.

    Returns:
        The outcome. It has the reason of what the pod was waiting for.
    """
    problem = waiting_for or NOT_EXPLAINED
    message = (
        f"The trainer did not start within {job.start_timeout_seconds} s "
        f"(triggers.startTimeoutSeconds), so others got its place. {problem.message} "
        f"Then apply a new RetrainRequest.{describe_earlier_failure(attempts)}"
    )
    return JobOutcome(problem.reason, message)


def describe_earlier_failure(attempts: Sequence[Attempt]) -> str:
    """Describe the last attempt that failed by itself. Returns an empty text if there is none."""
    failed = [each for each in attempts if each.exit_code not in {KILLED, ASKED_TO_END}]
    if not failed:
        return ""
    return f" An earlier pod failed: {explain_failed_attempt(failed[-1]).message}"
