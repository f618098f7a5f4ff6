"""Reports of defects that concern one request, and the Events about ignored objects."""

from __future__ import annotations

from collections.abc import Awaitable

from retraining_operator.api.conditions import Condition, ConditionType
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.observability.problems import (
    ObjectProblem,
    ProblemReport,
    ProblemReporter,
)

REASONS = {
    ObjectProblem.FOREIGN: ConditionReason.FOREIGN_OBJECT,
    ObjectProblem.UNREADABLE: ConditionReason.OPERATOR_DEFECT,
    ObjectProblem.DEFECT: ConditionReason.OPERATOR_DEFECT,
}


def report_defect(
    problems: ProblemReporter, request: RetrainRequest, what: str, error: Exception
) -> None:
    """Report that something about one request failed. All other requests go on.

    Args:
        problems: Reports it once for each version of the request.
        request: The request.
        what: What failed, such as `planning it`.
        error: The error, whose traceback is logged.
    """
    problems.report(
        ObjectProblem.DEFECT,
        f"{request.uid}/{request.resource_version}/{what}",
        f"{request.key}: {what} failed because of a defect of the operator "
        f"({type(error).__name__}). Other requests are not affected. Please report the traceback.",
        request_uid=request.uid,
        error=error,
    )


async def run_side_task(problems: ProblemReporter, what: str, work: Awaitable[None]) -> None:
    """Await work that no request waits for. A defect in it does not end the loop.

    Args:
        problems: Reports a defect once.
        what: What the work does, for the message.
        work: The work, which handles the errors that it expects.
    """
    try:
        await work
    except Exception as error:  # noqa: BLE001  # a defect must not stop the others
        problems.report(
            ObjectProblem.DEFECT,
            what,
            f"{what} failed because of a defect of the operator ({type(error).__name__}). Requests "
            "are not affected. Please report the traceback.",
            error=error,
        )


def build_problem_condition(report: ProblemReport) -> Condition:
    """Build the condition that an Event about an ignored object reports. It is not stored."""
    reason = REASONS[report.problem]
    return Condition(ConditionType.SUCCEEDED, "Unknown", reason, report.message)
