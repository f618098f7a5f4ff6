"""The result document of a run: the container's termination message, at most 4 KiB of JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from retraining_job.contract.text import to_line
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
LINE_LIMIT_CHARACTERS = 10_000
"""Of a message outside of the result document."""
COUNT_LIMIT = 2**63 - 1
"""The largest number that a status and a column of type BIGINT can hold."""


def to_utc(moment: datetime) -> datetime:
    """Return a time in UTC. A time without a zone is one in UTC.

    Raises:
        ValueError: If the time is outside of the years 1 to 9999 in UTC.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("it is outside of the years 1 to 9999") from error


def to_message(text: str) -> str:
    """Return a message as one line. It may quote events, servers and requests."""
    return to_line(text, LINE_LIMIT_CHARACTERS)


def drop_non_finite(value: float | None) -> float | None:
    """Return a finite number unchanged, and None for NaN and infinities, which JSON lacks."""
    return value if value is not None and math.isfinite(value) else None


Metric = Annotated[float | None, AfterValidator(drop_non_finite)]
Moment = Annotated[datetime, AfterValidator(to_utc)]
Count = Annotated[int, Field(ge=0, le=COUNT_LIMIT)]
Line = Annotated[str, AfterValidator(to_message)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
"""A reason: it becomes the reason of a condition, and part of log lines."""


class Window(BaseModel):
    """The events that a run has read."""

    model_config = ConfigDict(frozen=True)

    first: Moment
    last: Moment
    rows: Count


class PartMetrics(BaseModel):
    """The metrics of one part of a model, or of its combined score, on the hold-out."""

    model_config = ConfigDict(frozen=True)

    average_precision: Metric = None
    """None, like the next three, if the hold-out has no known anomaly or nothing else."""
    roc_auc: Metric = None
    budget_precision: Metric = None
    """Precision of the alerts if the alert budget is spent on the highest scores."""
    budget_recall: Metric = None
    alert_rate: Metric = None
    """The share of events with a score above the live threshold."""


class ContenderMetrics(BaseModel):
    """The metrics of one model on the hold-out."""

    model_config = ConfigDict(frozen=True)

    precision: Metric = None
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
    reason: Word
    """A VerdictReason if there is a verdict, else a Failure."""
    message: Line
    """Sentences for people, with the numbers that decided."""
    n_samples: Count | None = None
    version: VersionNumber | None = None
    """The version that this run published."""
    champion_version: VersionNumberOrNone | None = None
    """The version that the challenger was evaluated against."""
    window: Window | None = None
    metrics: Contenders | None = Field(
        default=None, validation_alias=AliasChoices("metrics", "figures")
    )
    """Earlier trainers named it `figures`, and the combined score in it `mixture`."""
    started_at: Moment
    finished_at: Moment

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
