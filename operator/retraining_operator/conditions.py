"""The two conditions of a RetrainRequest, rebuilt whole at each pass, and what is new about them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from retraining_operator.reason import Reason
from retraining_operator.request import RetrainRequest

Status = dict[str, Any]
Truth = Literal["True", "False", "Unknown"]

MESSAGE_LIMIT_CHARACTERS = 2000
"""Keeps `kubectl describe` readable, whatever a library's error says."""


def conditions_of(
    request: RetrainRequest,
    succeeded: tuple[Truth, str, str],
    promoted: tuple[Truth, str, str],
    now: datetime,
) -> Status:
    """Build both conditions; a condition keeps its transition time while its status stays the same."""
    before = {condition["type"]: condition for condition in request.status.get("conditions", ())}
    return {
        "observedGeneration": request.generation,
        "conditions": [
            condition(kind, values, before.get(kind), request.generation, now)
            for kind, values in (("Succeeded", succeeded), ("Promoted", promoted))
        ],
    }


def condition(
    kind: str,
    values: tuple[Truth, str, str],
    before: Mapping[str, Any] | None,
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    """Build one condition."""
    truth, reason, message = values
    kept = before["lastTransitionTime"] if before and before["status"] == truth else None
    return {
        "type": kind,
        "status": truth,
        "reason": str(reason),
        "message": message[:MESSAGE_LIMIT_CHARACTERS],
        "lastTransitionTime": kept or timestamp(now),
        "observedGeneration": generation,
    }


def timestamp(moment: datetime) -> str:
    """Write a time as Kubernetes does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def news(request: RetrainRequest, status: Status) -> list[Mapping[str, str]]:
    """Give the conditions that tell another turn and not only another figure; what both say is told once."""
    succeeded, promoted = status["conditions"]
    if succeeded["reason"] == Reason.LAUNCHING:
        return []  # a note for the operator itself; its Job is the news
    told = [succeeded] if said(succeeded) != said(request.condition("Succeeded")) else []
    if succeeded["status"] != "Unknown" and said(promoted) not in (
        said(succeeded),
        said(request.condition("Promoted")),
    ):
        told.append(promoted)
    return told


def said(condition: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Give what a condition says besides its truth."""
    return condition.get("reason"), condition.get("message")
