"""Why one attempt failed, and what to do about it."""

from __future__ import annotations

from retraining_operator.api.kubernetes_error_table import NODE_REJECTED
from retraining_operator.api.pod import Attempt
from retraining_operator.api.pod_problems import PodProblem
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.contract import ExitCode, Failure

FAILURE_OF_EXIT: dict[int | None, Failure] = {
    ExitCode.BAD_DATA: Failure.BAD_DATA,
    ExitCode.INTERNAL_ERROR: Failure.INTERNAL_ERROR,
    ExitCode.DEPENDENCY_UNAVAILABLE: Failure.DEPENDENCY_UNAVAILABLE,
    ExitCode.AUDIT_PENDING: Failure.AUDIT_PENDING,
    ExitCode.BAD_CONFIGURATION: Failure.BAD_CONFIGURATION,
}
ADVICE: dict[str, str] = {
    Failure.BAD_DATA: (
        "Not retried, because the same events would fail again. "
        "Correct the events and apply a new request."
    ),
    Failure.BAD_CONFIGURATION: (
        "Not retried, because the same configuration would fail again. "
        "Correct the setting or the table and apply a new request."
    ),
    Failure.DEPENDENCY_UNAVAILABLE: "Apply a new request once the database and Redis answer.",
    Failure.INTERNAL_ERROR: "The log has the traceback. Please report it.",
    Failure.AUDIT_PENDING: "A later run backfills the missing row in model_versions when it ends.",
}
"""What a person can do after the last attempt, by reason."""

KILLED, ASKED_TO_END = 137, 143
"""Exit codes of a process that was ended by SIGKILL or SIGTERM, for example at a deadline."""
SIGNALS = {
    KILLED: " (SIGKILL: its node ran out of memory, or a person killed it)",
    ASKED_TO_END: " (SIGTERM: its pod was deleted)",
}


def explain_failed_attempt(attempt: Attempt) -> PodProblem:
    """Return why an attempt failed. The message is right whether or not another attempt follows."""
    result = attempt.result
    if attempt.disruption:
        return PodProblem(
            ConditionReason.EVICTED,
            f"Kubernetes removed the pod {attempt.pod} ({attempt.disruption.rstrip('.')}). "
            "This is not a fault of the run and does not count as a failed attempt.",
        )
    if attempt.rejection:
        rejection = attempt.rejection.rstrip(".")
        return PodProblem(
            NODE_REJECTED.reason,
            f"The pod {attempt.pod} failed before the trainer ran: {rejection}.",
        )
    if result:
        return PodProblem(result.reason, result.message)
    if attempt.reason == "OOMKilled":
        return PodProblem(
            ConditionReason.OUT_OF_MEMORY,
            "The trainer used more memory than its limit and was killed. Raise "
            "spec.resources.limits.memory (job.resources for all requests), or read fewer rows.",
        )
    code = attempt.exit_code
    return PodProblem(
        FAILURE_OF_EXIT.get(code, ConditionReason.JOB_FAILED),
        f"The trainer ended with exit code {code}{SIGNALS.get(code or 0, '')} and left no result.",
    )
