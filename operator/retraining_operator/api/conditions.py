"""The three conditions of a RetrainRequest, rebuilt whole at each pass, and what is new about them.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from retraining_operator.api.pod import WAITING_REASONS
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest

Status = dict[str, Any]
Truth = Literal["True", "False", "Unknown"]
Values = tuple[Truth, str, str]
"""What a condition says: its status, its reason and its message."""

RETRIED_REASONS = {ConditionReason.DATABASE_UNAVAILABLE, ConditionReason.RECORD_REFUSED}
"""Why an outcome is not recorded yet: it is tried again."""
NOTHING_TO_RECORD: Values = (
    "Unknown",
    ConditionReason.PENDING,
    "There is no outcome to record yet.",
)
TO_BE_RECORDED: Values = (
    "Unknown",
    ConditionReason.PENDING,
    "The outcome is about to be recorded in the database.",
)

MESSAGE_LIMIT_CHARACTERS = 2000
"""Keeps `kubectl describe` readable, whatever a library's error says."""


def build_conditions(
    request: RetrainRequest,
    succeeded: Values,
    promoted: Values,
    now: datetime,
    recorded: Values | None = None,
) -> Status:
    """Build all conditions; a condition keeps its transition time while its status stays the same.

    Without `recorded`, that condition stays as it is.
    """
    before = {condition["type"]: condition for condition in request.status.get("conditions", ())}
    kinds = {
        "Succeeded": succeeded,
        "Promoted": promoted,
        "Recorded": recorded or read_condition_values(request, "Recorded") or NOTHING_TO_RECORD,
    }
    return {
        "observedGeneration": request.generation,
        "conditions": [
            build_condition(kind, values, before.get(kind), request.generation, now)
            for kind, values in kinds.items()
        ],
    }


def read_condition_values(
    request: RetrainRequest, kind: Literal["Succeeded", "Promoted", "Recorded"]
) -> Values | None:
    """Give what a condition says as it stands; None where there is none."""
    found = request.condition(kind)
    return (found["status"], found["reason"], found["message"]) if found else None


def build_condition(
    kind: str,
    values: Values,
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
        "message": to_one_line(message)[:MESSAGE_LIMIT_CHARACTERS]
        or f"{reason}.",  # a document may hold no words
        "lastTransitionTime": kept or format_time(now),
        "observedGeneration": generation,
    }


def to_one_line(text: str) -> str:
    """Put white space where a text has what no line shows: it may quote a spec, a pod or the API server."""
    shown = (
        text
        if text.isprintable()
        else "".join(mark if mark.isprintable() else " " for mark in text)
    )
    return " ".join(shown.split())


@lru_cache(maxsize=8)  # a plan writes its own moment thousands of times
def format_time(moment: datetime) -> str:
    """Write a time as Kubernetes does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def has_changes(request: RetrainRequest, status: Status) -> bool:
    """Tell whether a status says anything that does not stand already."""
    return any(request.status.get(field) != value for field, value in status.items())


def select_reportable_conditions(
    request: RetrainRequest, status: Status
) -> list[Mapping[str, str]]:
    """Give the conditions that tell another turn and not only another figure; what two of them say is told once."""
    if status["conditions"][0]["reason"] == ConditionReason.LAUNCHING:
        return []  # a note for the operator itself; its Job is the news
    new = {condition["type"]: condition for condition in status["conditions"]}
    succeeded, promoted, recorded = new["Succeeded"], new["Promoted"], new["Recorded"]
    told = (
        [succeeded]
        if has_changed(succeeded, request.condition("Succeeded"))
        and not is_repeated_refusal(request, succeeded)
        else []
    )
    if (
        succeeded["status"] != "Unknown"
        and has_changed(promoted, request.condition("Promoted"))
        and reason_and_message(promoted) != reason_and_message(succeeded)
    ):
        told.append(promoted)
    before = request.condition("Recorded").get("reason")
    # That an outcome is recorded goes without saying, unless it was said that it could not be.
    if recorded["reason"] != before and (RETRIED_REASONS & {recorded["reason"], before}):
        told.append(recorded)
    return told


def is_repeated_refusal(request: RetrainRequest, succeeded: Mapping[str, str]) -> bool:
    """Return whether a Job is refused again after a further try; `launching` keeps the reason of the one before."""
    reason = ConditionReason.JOB_REFUSED_FOR_NOW
    tried = request.condition("Succeeded").get("reason") == ConditionReason.LAUNCHING
    return (
        tried
        and succeeded["reason"] == reason
        and request.condition("Promoted").get("reason") == reason
    )


def has_changed(now: Mapping[str, str], before: Mapping[str, str]) -> bool:
    """Tell a turn: other words, unless Kubernetes words the trouble of a pod that still waits now so and now so."""
    if now["reason"] in WAITING_REASONS and now["status"] == before.get("status"):
        return now["reason"] != before.get("reason")
    return reason_and_message(now) != reason_and_message(before)


def reason_and_message(condition: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Give what a condition says besides its truth."""
    return condition.get("reason"), condition.get("message")
