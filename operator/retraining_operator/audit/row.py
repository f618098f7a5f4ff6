"""The outcome of a request as a row of `retraining_runs`, built from its status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from retraining_operator.api.conditions import ConditionType, format_time, read_conditions
from retraining_operator.api.request import RetrainRequest
from retraining_operator.contract import Preset

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
    window = status.get("window") or {}
    finished_at = (is_applied and status.get("approvalTime")) or status.get("completionTime")
    values = {
        "run_id": request.uid,
        "request": request.key,
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
        "window_first": window.get("first"),
        "window_last": window.get("last"),
        "started_at": status.get("startTime") or request.created_at,
        "finished_at": finished_at or condition.last_transition or format_time(now),
        "log_tail": status.get("logTail"),
        "is_answered": is_applied,
    }
    return {
        name: remove_nul(value) if isinstance(value, str) else value
        for name, value in values.items()
    }


def remove_nul(text: str) -> str:
    """Remove NUL characters, which Kubernetes stores and PostgreSQL refuses in a text."""
    return text.replace("\0", "")
