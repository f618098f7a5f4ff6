"""What a finished request leaves behind for the policy, for pruning and for the count of merged triggers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest

NO_FAULT = {ConditionReason.REPLACED, ConditionReason.JOB_DELETED}
"""Ends without a verdict that say nothing against the next retrain."""
REASONS_LIMIT = 20
REASON_LIMIT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One finished request; thousands of them are kept, so no more than is needed."""

    name: str
    uid: str
    resource_version: int
    started_at: datetime | None
    """When its Job started; None where it had none."""
    ended_at: datetime
    ran: bool
    """Whether a Job retrained for it."""
    failed: bool
    """Whether the retrain ended without a verdict through a fault."""
    reason: str
    """How it ended."""
    recorded: bool
    """Whether its outcome is in the database."""
    arrival: tuple[str, int, int, str]
    merged_into: str | None
    trigger_reason: str
    """Why it was asked for; empty where nobody needs it any more."""


def read_finished_run(request: RetrainRequest) -> FinishedRun:
    """Keep what is needed of a finished request."""
    status, succeeded = request.status, request.condition("Succeeded")
    ran = bool(status.get("jobName")) and request.spec.rollback_to is None
    merged_into = status.get("mergedInto")
    return FinishedRun(
        name=request.name,
        uid=request.uid,
        resource_version=request.resource_version,
        started_at=parse_time(status["startTime"]) if ran and status.get("startTime") else None,
        ended_at=parse_time(
            status.get("completionTime")
            or succeeded.get("lastTransitionTime")
            or request.created_at
        ),
        ran=ran,
        failed=ran
        and succeeded.get("status") == "False"
        and succeeded.get("reason") not in NO_FAULT,
        reason=succeeded.get("reason", ""),
        recorded=request.condition("Recorded").get("status") == "True",
        arrival=request.arrival,
        merged_into=merged_into,
        trigger_reason=request.spec.reason[:REASON_LIMIT_CHARACTERS] if merged_into else "",
    )


def group_merged_runs(past: Iterable[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Give those that were merged, by the name of the request that has taken them in."""
    found: dict[str, list[FinishedRun]] = {}
    for run in past:
        if run.merged_into:
            found.setdefault(run.merged_into, []).append(run)
    return found


def build_merged_field(taken: Iterable[FinishedRun]) -> Manifest:
    """Count the triggers that a request has taken in; empty where there are none."""
    taken = sorted(taken, key=lambda run: run.arrival)
    if not taken:
        return {}
    reasons = list(dict.fromkeys(run.trigger_reason for run in taken))[:REASONS_LIMIT]
    merged = {
        "count": len(taken),
        "first": taken[0].name,
        "last": taken[-1].name,
        "reasons": reasons,
    }
    return {"merged": merged}


def parse_time(timestamp: str) -> datetime:
    """Read a time as Kubernetes writes it."""
    return datetime.fromisoformat(timestamp).astimezone(UTC)
