"""Which changes of a status are written, and which of them are reported as log lines and Events."""

from __future__ import annotations

from retraining_operator.api.conditions import (
    RETRIED_REASONS,
    Condition,
    ConditionType,
    Status,
    read_conditions,
)
from retraining_operator.api.pod_problems import WAITING_REASONS
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest


def has_changes(request: RetrainRequest, status: Status) -> bool:
    """Return whether a status differs from the stored one.

    Args:
        request: The request with its stored status.
        status: The fields to compare. None stands for a missing field.

    Returns:
        True if writing the fields would change the stored status.
    """
    return any(request.status.get(field) != value for field, value in status.items())


def select_reportable_conditions(request: RetrainRequest, status: Status) -> list[Condition]:
    """Select the conditions of a new status that are worth a log line and an Event.

    Changed numbers alone are not reported, and the same reason and message only once.

    Args:
        request: The request with its stored status.
        status: The status that replaces it.

    Returns:
        At most one condition per type.
    """
    conditions = read_conditions(status)
    succeeded = conditions[ConditionType.SUCCEEDED]
    promoted = conditions[ConditionType.PROMOTED]
    recorded = conditions[ConditionType.RECORDED]
    if succeeded.reason == ConditionReason.LAUNCHING:
        return []  # Written for the operator itself. The Job that follows is reported.
    reportable = []
    is_repeated = _is_repeated_refusal(request, succeeded)
    if not is_repeated and _has_changed(succeeded, request.conditions[ConditionType.SUCCEEDED]):
        reportable.append(succeeded)
    if (
        succeeded.status != "Unknown"
        and _has_changed(promoted, request.conditions[ConditionType.PROMOTED])
        and (promoted.reason, promoted.message) != (succeeded.reason, succeeded.message)
    ):
        reportable.append(promoted)
    # A recorded outcome is the normal case. It is reported only if recording failed before.
    before = request.conditions[ConditionType.RECORDED].reason
    if recorded.reason != before and RETRIED_REASONS & {recorded.reason, before}:
        reportable.append(recorded)
    return reportable


def _is_repeated_refusal(request: RetrainRequest, succeeded: Condition) -> bool:
    """Return whether the API server refuses a Job for the same reason after a further try.

    During a try, the condition Promoted keeps the reason of the refusal before.
    """
    reason = ConditionReason.JOB_REFUSED_FOR_NOW
    was_tried = request.conditions[ConditionType.SUCCEEDED].reason == ConditionReason.LAUNCHING
    was_refused = request.conditions[ConditionType.PROMOTED].reason == reason
    return was_tried and was_refused and succeeded.reason == reason


def _has_changed(now: Condition, before: Condition) -> bool:
    """Return whether a condition changed.

    For a pod that is still waiting, only the reason counts, because Kubernetes varies the message.
    """
    if now.reason in WAITING_REASONS and now.status == before.status:
        return now.reason != before.reason
    return (now.reason, now.message) != (before.reason, before.message)
