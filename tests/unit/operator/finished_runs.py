"""Outcomes of finished runs, and their conditions."""

from datetime import datetime
from typing import Any

from retraining_operator.api.conditions import Status
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.contract import Result


def outcome(now: datetime, **fields: Any) -> JobOutcome:
    result = Result(
        **{
            "run_id": "r",
            "reason": "x",
            "message": "Said why.",
            "started_at": now,
            "finished_at": now,
            **fields,
        }
    )
    return JobOutcome(str(result.verdict), result.message, result)


def promoted(status: Status) -> tuple[str, str]:
    condition = status["conditions"][1]
    return condition["status"], condition["reason"]
