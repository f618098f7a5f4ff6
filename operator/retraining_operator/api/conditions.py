"""The conditions of a RetrainRequest: how they are read from and written to its status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, cast, get_args

from retraining_operator.api.fields import Fields
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.contract import to_line

Status = dict[str, Any]
"""Fields of a status as JSON, to be merged into the stored status. None removes a field."""
Truth = Literal["True", "False", "Unknown"]
TRUTHS = frozenset(get_args(Truth))

RETRIED_REASONS = {ConditionReason.DATABASE_UNAVAILABLE, ConditionReason.RECORD_REFUSED}
"""Reasons of the condition Recorded after which recording is retried."""


class ConditionType(StrEnum):
    """The types of conditions of a RetrainRequest."""

    SUCCEEDED = "Succeeded"
    """Whether the run has a verdict. Unknown while the request waits or runs."""
    PROMOTED = "Promoted"
    """Whether the challenger is live. Unknown while that is open."""
    RECORDED = "Recorded"
    """Whether the outcome is in the database."""


@dataclass(frozen=True)
class Condition:
    """One condition.

    Args:
        type: The type.
        status: Whether it is true.
        reason: The reason as one CamelCase word; empty if the condition is not set.
        message: A text for people; empty if the condition is not set.
        last_transition: When the status last changed, in UTC as Kubernetes formats times; empty if
            the condition is not stored.
    """

    type: ConditionType
    status: Truth
    reason: str
    message: str
    last_transition: str = ""


NOTHING_TO_RECORD = Condition(
    ConditionType.RECORDED,
    "Unknown",
    ConditionReason.PENDING,
    "There is no outcome to record yet.",
)
TO_BE_RECORDED = Condition(
    ConditionType.RECORDED,
    "Unknown",
    ConditionReason.PENDING,
    "The outcome will be recorded in the database.",
)


def read_conditions(status: Mapping[str, Any]) -> dict[ConditionType, Condition]:
    """Read the conditions from a status. A missing one is Unknown and has no reason."""
    conditions = {kind: Condition(kind, "Unknown", "", "") for kind in ConditionType}
    for entry in Fields.of(status).items("conditions"):
        kind, truth = entry.text("type"), entry.text("status")
        if kind in conditions and truth in TRUTHS:
            conditions[ConditionType(kind)] = Condition(
                type=ConditionType(kind),
                status=cast("Truth", truth),
                reason=to_line(entry.text("reason")),
                message=entry.text("message"),
                last_transition=entry.time("lastTransitionTime") or "",
            )
    return conditions


def format_conditions(
    conditions: Iterable[Condition],
    stored: Mapping[ConditionType, Condition],
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """Format conditions as JSON.

    Args:
        conditions: The new conditions.
        stored: The stored conditions. If the status of a condition is the same, its transition
            time is kept.
        generation: The generation of the request that the conditions are about.
        now: The transition time of a condition whose status changes.

    Returns:
        One object per condition, in the same order.
    """
    return [
        {
            "type": str(condition.type),
            "status": condition.status,
            "reason": str(condition.reason),
            # A result document may have an empty message, but a condition must not.
            "message": to_line(condition.message) or f"{condition.reason}.",
            "lastTransitionTime": _transition_time(condition, stored[condition.type], now),
            "observedGeneration": generation,
        }
        for condition in conditions
    ]


def _transition_time(condition: Condition, stored: Condition, now: datetime) -> str:
    if stored.last_transition and stored.status == condition.status:
        return stored.last_transition
    return format_time(now)


@lru_cache(maxsize=8)  # One plan formats the same time thousands of times.
def format_time(moment: datetime) -> str:
    """Format a time in UTC as Kubernetes does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
