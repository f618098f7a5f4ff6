"""What is stored of a finished request, for the trigger policy, retention and merged triggers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from retraining_operator.api.conditions import ConditionType
from retraining_operator.api.fields import EPOCH, parse_time
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.contract import to_line

NO_FAULT = {ConditionReason.REPLACED, ConditionReason.JOB_DELETED}
"""Reasons of runs without a verdict that do not count as failures for the breaker."""
REASONS_LIMIT = 20
REASON_LIMIT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One finished request. Thousands of them are stored, so it has only the needed fields.

    Args:
        name: The name of the request.
        uid: The uid of the request.
        resource_version: The resource version of the request, as a number.
        started_at: When its Job started, UTC; None if it had none.
        ended_at: When it ended, UTC.
        ran: Whether a Job trained for it.
        failed: Whether the run ended without a verdict because of a fault.
        reason: The reason of the condition Succeeded.
        recorded: Whether the outcome is in the database.
        arrival: The sort key of the request's arrival.
        merged_into: The name of the request that it was merged into.
        trigger_reason: Why it was asked for; empty unless it was merged.
    """

    name: str
    uid: str
    resource_version: int
    started_at: datetime | None
    ended_at: datetime
    ran: bool
    failed: bool
    reason: str
    recorded: bool
    arrival: tuple[str, int, int, str]
    merged_into: str | None
    trigger_reason: str


def read_finished_run(request: RetrainRequest) -> FinishedRun:
    """Read from a finished request what is stored of it."""
    status = request.status
    succeeded = request.conditions[ConditionType.SUCCEEDED]
    ran = bool(status.get("jobName")) and not request.is_rollback
    merged_into = status.get("mergedInto")
    ended_at = (
        parse_time(status.get("completionTime"))
        or parse_time(succeeded.last_transition)
        or parse_time(request.created_at)
    )
    return FinishedRun(
        name=request.name,
        uid=request.uid,
        resource_version=request.resource_version,
        started_at=parse_time(status.get("startTime")) if ran else None,
        ended_at=ended_at or EPOCH,
        ran=ran,
        failed=ran and succeeded.status == "False" and succeeded.reason not in NO_FAULT,
        reason=succeeded.reason,
        recorded=request.conditions[ConditionType.RECORDED].status == "True",
        arrival=request.arrival,
        merged_into=merged_into,
        trigger_reason=to_line(request.spec.reason, REASON_LIMIT_CHARACTERS) if merged_into else "",
    )


def group_merged_runs(runs: Iterable[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Group the merged requests by the name of the request that they were merged into."""
    groups: dict[str, list[FinishedRun]] = {}
    for run in runs:
        if run.merged_into:
            groups.setdefault(run.merged_into, []).append(run)
    return groups


def build_merged_field(runs: Iterable[FinishedRun]) -> Manifest:
    """Build the status field about merged requests. It is empty if there are none."""
    ordered = sorted(runs, key=lambda run: run.arrival)
    if not ordered:
        return {}
    reasons = list(dict.fromkeys(run.trigger_reason for run in ordered))[:REASONS_LIMIT]
    merged = {
        "count": len(ordered),
        "first": ordered[0].name,
        "last": ordered[-1].name,
        "reasons": reasons,
    }
    return {"merged": merged}
