"""The result of one run: the container's termination message, at most 4 KiB of JSON, and a row in a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from retraining_job.contract.verdict import Failure, Verdict, VerdictReason, Withheld

RESULT_LIMIT_BYTES = 4096
"""Kubernetes keeps no more than this of a container's termination message."""

FORMER_FIRST = "NoChampion"
"""The verdict of earlier trainers on every challenger that had no champion to beat."""
FORMER_UNAVAILABLE = "DependencyAway"
"""The failure reason of earlier trainers for `DependencyUnavailable`."""

MESSAGE_LIMIT_CHARACTERS = 1000
"""Leaves room for every figure in the result document, whatever the message says."""


class Window(BaseModel):
    """The events that a run has read."""

    model_config = ConfigDict(frozen=True)

    first: datetime
    last: datetime
    rows: int


class PartMetrics(BaseModel):
    """What one part of a contender, or their mixture, reached on the hold-out."""

    model_config = ConfigDict(frozen=True)

    average_precision: float | None = None
    """None, like the next three, where no known anomaly or nothing else is in the hold-out."""
    roc_auc: float | None = None
    budget_precision: float | None = None
    """Precision where the alert budget is spent on the highest scores."""
    budget_recall: float | None = None
    alert_rate: float | None = None
    """The share of events with a score above the live threshold."""


class ContenderMetrics(BaseModel):
    """What one contender reached on the hold-out."""

    model_config = ConfigDict(frozen=True)

    precision: float | None = None
    """The share of right predictions, which the old service calls precision (it is the accuracy).

    None where no event of the hold-out has a label.
    """
    mixture: PartMetrics | None = None
    """The score as the live service mixes it.

    The `reference` preset has no figures but the one above.
    """
    hst: PartMetrics | None = None
    """The forest alone."""
    sad: PartMetrics | None = None
    """The deviation score alone."""


class Contenders(BaseModel):
    """The figures of both contenders; a champion has none where there is no readable one."""

    model_config = ConfigDict(frozen=True)

    challenger: ContenderMetrics
    champion: ContenderMetrics | None = None


class Result(BaseModel):
    """The result document of one run: the container's termination message, at most 4 KiB of JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    verdict: Verdict | None = None
    """None where the run failed."""
    promoted: bool = False
    """Whether the challenger is live."""
    withheld: Withheld | None = None
    """Why it is not, although it was judged fit."""
    reason: str
    """One word for machines: a Reason where there is a verdict, else a Failure."""
    message: str
    """Plain sentences for people, with the numbers that decided."""
    n_samples: int | None = None
    version: int | None = None
    """The version that this run published."""
    champion_version: int | None = None
    """The version that the challenger was judged against."""
    window: Window | None = None
    figures: Contenders | None = None
    started_at: datetime
    finished_at: datetime

    @model_validator(mode="before")
    @classmethod
    def read_former(cls, fields: Any) -> Any:
        """Replace the values that earlier trainers wrote by those that mean the same today."""
        if not isinstance(fields, Mapping):
            return fields
        if fields.get("reason") == FORMER_UNAVAILABLE:
            return {**fields, "reason": Failure.DEPENDENCY_UNAVAILABLE}
        if fields.get("verdict") != FORMER_FIRST:
            return fields
        unfit = fields.get("reason") in {VerdictReason.BELOW_FLOOR, VerdictReason.UNUSABLE_SCORES}
        return {**fields, "verdict": Verdict.UNFIT if unfit else Verdict.FIRST_MODEL}

    def document(self) -> str:
        """Give the JSON text; a message that is too long is cut, figures never are."""
        short = self.model_copy(update={"message": self.message[:MESSAGE_LIMIT_CHARACTERS]})
        text = short.model_dump_json(exclude_none=True)
        while len(text.encode()) > RESULT_LIMIT_BYTES and short.message:
            short = short.model_copy(update={"message": short.message[: len(short.message) // 2]})
            text = short.model_dump_json(exclude_none=True)
        return text


def read_result(document: str) -> Result | None:
    """Read a termination message; None where it is no result document (a killed container leaves none)."""
    try:
        return Result.model_validate_json(document)
    except ValidationError:
        return None
