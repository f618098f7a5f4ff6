"""A request's outcome as a row of `retraining_runs`, read from its status.

Pure; written by the archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from retraining_operator.api.conditions import format_time
from retraining_operator.api.request import RetrainRequest
from retraining_operator.contract import Preset

Row = dict[str, Any]


def build_row(
    request: RetrainRequest, status: Mapping[str, Any], preset: Preset, now: datetime
) -> Row:
    """Lay an outcome out.

    All of it stands in the status, so that it can be written at any time later, by any process.

    Args:
        request: whose outcome it is.
        status: what is about to be written over its status, or nothing where that holds the
            outcome.
        preset: the operator's, where the request names none.
        now: the end of a run whose status does not tell when it was.
    """
    status = {**request.status, **status}
    conditions = {condition["type"]: condition for condition in status["conditions"]}
    succeeded, promoted = conditions["Succeeded"], conditions["Promoted"]
    # A decision that failed leaves the verdict and changes what became of it; one whose end nobody
    # knows, nothing.
    carried = "approvalJobName" in status and promoted["status"] != "Unknown"
    told = promoted if carried else succeeded
    window = status.get("window") or {}
    finished_at = (carried and status.get("approvalTime")) or status.get("completionTime")
    return {
        "run_id": request.uid,
        "request": request.key,
        "trigger_reason": request.spec.reason,
        "preset": str(request.spec.preset or preset),
        "verdict": status.get("verdict"),
        "promoted": promoted["status"] == "True",
        "withheld": status.get("withheld"),
        "reason": told["reason"],
        "message": told["message"],
        "version": status.get("version"),
        "champion_version": status.get("championVersion"),
        "n_samples": status.get("samples"),
        "window_first": window.get("first"),
        "window_last": window.get("last"),
        "started_at": status.get("startTime") or request.created_at,
        "finished_at": finished_at or told.get("lastTransitionTime") or format_time(now),
        "log_tail": status.get("logTail"),
        "decided": carried,
    }
