"""The outcome of a request as a row of `retraining_runs`, built from its status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from retraining_operator.api.conditions import ConditionType, format_time, read_conditions
from retraining_operator.api.fields import Fields
from retraining_operator.api.record_request import build_record_key, is_own_form
from retraining_operator.api.request import RetrainRequest
from retraining_operator.contract import Preset, to_line, to_lines

Row = dict[str, Any]


def build_row(
    request: RetrainRequest, status: Mapping[str, Any], preset: Preset, now: datetime
) -> Row:
    """Build the row of an outcome.

    Everything in it comes from the status, so that any process can write it at any later time.

    Args:
        request: The request with its stored status.
        status: The fields that will be written over its status; empty if the stored status has the
            outcome.
        preset: The operator's preset, for a request that names none.
        now: The end of a run whose status has no time of its end.

    Returns:
        The values by column. The value `is_answered` is not a column: it says whether an approval
        was applied.
    """
    status = {**request.status, **status}
    conditions = read_conditions(status)
    promoted = conditions[ConditionType.PROMOTED]
    # An approval that could not be applied keeps the verdict and changes what happened to the
    # challenger. If the end of its Job is unknown, the row does not change.
    is_applied = "approvalJobName" in status and promoted.status != "Unknown"
    condition = promoted if is_applied else conditions[ConditionType.SUCCEEDED]
    window = Fields.of(status).fields("window")
    finished_at = (is_applied and status.get("approvalTime")) or status.get("completionTime")
    values = {
        "run_id": request.uid,
        "request": request.key,
        "record_key": find_record_key(request),
        "trigger_reason": request.spec.reason,
        "preset": str(request.spec.preset or preset),
        "verdict": status.get("verdict"),
        "promoted": promoted.status == "True",
        "withheld": status.get("withheld"),
        "reason": condition.reason,
        "message": condition.message,
        "version": status.get("version"),
        "champion_version": status.get("championVersion"),
        "n_samples": status.get("samples"),
        "window_first": window.time("first"),
        "window_last": window.time("last"),
        "started_at": status.get("startTime") or request.created_at,
        "finished_at": finished_at or condition.last_transition or format_time(now),
        "log_tail": status.get("logTail"),
        "is_answered": is_applied,
    }
    return {name: clean_text(name, value) for name, value in values.items()}


def find_record_key(request: RetrainRequest) -> str | None:
    """Return the key of the record that a request was created for, or None."""
    is_own = request.spec.trigger is not None and is_own_form(request.name, request.spec)
    return build_record_key(request.namespace, request.spec) if is_own else None


def clean_text(name: str, value: Any) -> Any:
    """Return a value that PostgreSQL stores and that is one line, if it is a text.

    Args:
        name: The column. The end of the log has several lines.
        value: The value. Texts may contain any character that Kubernetes stores.

    Returns:
        The value without control characters.
    """
    if not isinstance(value, str):
        return value
    return to_lines(value) if name == "log_tail" else to_line(value)
