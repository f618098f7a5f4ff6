"""The result document of a run: the container's termination message, at most 4 KiB of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from retraining_job.contract.verdict import Failure, Verdict, VerdictReason, Withheld
from retraining_job.contract.versions import VersionNumber, VersionNumberOrNone

RESULT_LIMIT_BYTES = 4096
"""Kubernetes stores no more than this of a container's termination message."""

FORMER_FIRST = "NoChampion"
"""The verdict of earlier trainers on every challenger without a champion."""
FORMER_UNAVAILABLE = "DependencyAway"
"""The failure reason of earlier trainers for `DependencyUnavailable`."""

MESSAGE_LIMIT_CHARACTERS = 1000
"""Leaves room for all metrics in the result document, whatever the message is."""


class Window(BaseModel):
    """The events that a run has read."""

    model_config = ConfigDict(frozen=True)

    first: datetime
    last: datetime
    rows: int


class PartMetrics(BaseModel):
    """The metrics of one part of a model, or of its combined score, on the hold-out."""

    model_config = ConfigDict(frozen=True)

    average_precision: float | None = None
    """None, like the next three, if the hold-out has no known anomaly or nothing else."""
    roc_auc: float | None = None
    budget_precision: float | None = None
    """Precision of the alerts if the alert budget is spent on the highest scores."""
    budget_recall: float | None = None
    alert_rate: float | None = None
    """The share of events with a score above the live threshold."""


class ContenderMetrics(BaseModel):
    """The metrics of one model on the hold-out."""

    model_config = ConfigDict(frozen=True)

    precision: float | None = None
    """The share of right predictions, which the old service calls precision (it is the accuracy).

    None if no event of the hold-out has a label.
    """
    combined: PartMetrics | None = Field(
        default=None, validation_alias=AliasChoices("combined", "mixture")
    )
    """The combined score, as the live service weights it.

    The `reference` preset has no metrics but the one above.
    """
    hst: PartMetrics | None = None
    """The forest alone."""
    sad: PartMetrics | None = None
    """The deviation score alone."""


class Contenders(BaseModel):
    """The metrics of both models. The champion has none if there is no readable one."""

    model_config = ConfigDict(frozen=True)

    challenger: ContenderMetrics
    champion: ContenderMetrics | None = None


class Result(BaseModel):
    """The result document of one run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    verdict: Verdict | None = None
    """None if the run failed."""
    promoted: bool = False
    """Whether the challenger is live."""
    withheld: Withheld | None = None
    """Why it is not, although it is fit."""
    reason: str
    """A VerdictReason if there is a verdict, else a Failure."""
    message: str
    """Sentences for people, with the numbers that decided."""
    n_samples: int | None = None
    version: VersionNumber | None = None
    """The version that this run published."""
    champion_version: VersionNumberOrNone | None = None
    """The version that the challenger was evaluated against."""
    window: Window | None = None
    metrics: Contenders | None = Field(
        default=None, validation_alias=AliasChoices("metrics", "figures")
    )
    """Earlier trainers named it `figures`, and the combined score in it `mixture`."""
    started_at: datetime
    finished_at: datetime

    @model_validator(mode="before")
    @classmethod
    def read_former(cls, fields: Any) -> Any:
        """Replace values of earlier trainers by those that mean the same today."""
        if not isinstance(fields, Mapping):
            return fields
        if fields.get("reason") == FORMER_UNAVAILABLE:
            return {**fields, "reason": Failure.DEPENDENCY_UNAVAILABLE}
        if fields.get("verdict") != FORMER_FIRST:
            return fields
        unfit = fields.get("reason") in {VerdictReason.BELOW_FLOOR, VerdictReason.UNUSABLE_SCORES}
        return {**fields, "verdict": Verdict.UNFIT if unfit else Verdict.FIRST_MODEL}

    def document(self) -> str:
        """Return the JSON text. If it would be too long, the message is cut, never the metrics."""
        short = self.model_copy(update={"message": self.message[:MESSAGE_LIMIT_CHARACTERS]})
        text = short.model_dump_json(exclude_none=True)
        while len(text.encode()) > RESULT_LIMIT_BYTES and short.message:
            short = short.model_copy(update={"message": short.message[: len(short.message) // 2]})
            text = short.model_dump_json(exclude_none=True)
        return text


def read_result(document: str) -> Result | None:
    """Parse a termination message. Returns None if it is no result document."""
    try:
        return Result.model_validate_json(document)
    except ValidationError:
        return None
