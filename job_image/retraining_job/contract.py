"""What the operator and the trainer agree on: environment names, exit codes and the result document.

The operator writes the environment of the Job's container and reads its exit code and its result document
(the container's termination message). This is the only module of the trainer that the operator imports, so it
must stay cheap to import and free of I/O.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

RESULT_LIMIT_BYTES = 4096
"""Kubernetes keeps no more than this of a container's termination message."""

MESSAGE_LIMIT_CHARACTERS = 1000
"""Leaves room for every figure in the result document, whatever the message says."""

ENVIRONMENT_PREFIX = "RETRAIN_"
DATABASE_URL = "DATABASE_URL"
REDIS_URL = "REDIS_URL"


def environment_name(field: str) -> str:
    """Name the environment variable that carries a setting of the trainer: `run_id` -> `RETRAIN_RUN_ID`."""
    return ENVIRONMENT_PREFIX + field.upper()


def value_name(field: str) -> str:
    """Name the chart's value that carries a tunable of the trainer: `minimum_rows` -> `trainer.minimumRows`."""
    return f"trainer.{to_camel(field)}"


class ExitCode(IntEnum):
    """How the trainer's process ends; 65, 75 and 78 have the meaning they have in BSD's sysexits.h."""

    VERDICT = 0
    """The run has a verdict, whichever it is, and it is recorded."""
    BAD_DATA = 65
    """The events cannot be trained on; another try would fail as well."""
    INTERNAL_ERROR = 70
    """A defect of the trainer; the log has its traceback."""
    DEPENDENCY_AWAY = 75
    """The database or Redis was away for longer than the trainer waits; another try may succeed."""
    AUDIT_PENDING = 76
    """The model is live, but its audit row is not written yet; another try writes it and publishes nothing."""
    BAD_CONFIGURATION = 78
    """A setting is wrong; another try would fail as well."""


class Preset(StrEnum):
    """A recipe: how rows are ordered, what is learned and how challenger and champion are judged."""

    REFERENCE = "reference"


class Verdict(StrEnum):
    """What became of the challenger. The same words stand in the status, the metrics, the log and the database."""

    PROMOTED = "Promoted"
    KEPT = "Kept"
    INSUFFICIENT_DATA = "InsufficientData"
    UNREADABLE_CHAMPION = "UnreadableChampion"


class Reason(StrEnum):
    """Why a run has its verdict, in one word each; where the old service had a word for it, it is the old one."""

    NO_CHAMPION = "no_champion"
    """Promoted: there was no live model."""
    HIGHER_PRECISION = "higher_precision"
    """Promoted: the challenger's figure is greater."""
    EQUAL_PRECISION = "equal_precision"
    """Promoted: a tie goes to the challenger."""
    LOWER_PRECISION = "lower_precision"
    """Kept: the challenger's figure is less."""
    OVERTAKEN = "overtaken"
    """Kept: other runs promoted their models again and again while this one was judged."""
    INSUFFICIENT_DATA = "insufficient_data"
    UNREADABLE_CHAMPION = "unreadable_champion"


class Failure(StrEnum):
    """Why a run ended without a verdict, as far as the trainer itself can tell."""

    BAD_CONFIGURATION = "BadConfiguration"
    BAD_DATA = "BadData"
    DEPENDENCY_AWAY = "DependencyAway"
    AUDIT_PENDING = "AuditPending"
    INTERNAL_ERROR = "InternalError"


class Tunables(BaseModel):
    """The trainer's settings that a cluster operator sets under `trainer.*` and a RetrainRequest may override."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = Preset.REFERENCE
    events_table: str = Field(default="scored_events", pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$")
    """Table or view the events come from, optionally with its schema."""
    rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """How many of the newest events are read."""
    minimum_rows: int = Field(default=500, ge=1, le=1_000_000)
    """With fewer events there is no training."""
    hold_out_rows: int = Field(default=200, ge=1, le=100_000)
    """How many of the newest events challenger and champion are judged on."""
    threshold: float = Field(default=0.7, ge=0.0, le=1.0)
    """A score above this predicts an anomaly."""
    forest_trees: int = Field(default=25, ge=1, le=1000)
    forest_height: int = Field(default=15, ge=1, le=20)
    """A tree of height h has 2 ** (h + 1) - 1 nodes, 200 bytes and more each."""
    forest_window: int = Field(default=250, ge=1, le=1_000_000)
    """How many events the forest learns before their masses take effect."""
    forest_seed: int = Field(default=42, ge=0)
    """Together with the features' names it decides the trees."""
    database_retries: int = Field(default=3, ge=0, le=100)
    """How often the database is tried again when it is away; Redis too."""
    database_retry_delay_seconds: float = Field(default=30.0, ge=0.0, le=3600.0)
    """How long to wait before each new try."""
    model_key: str = Field(default="active_model", min_length=1)
    """Redis key under which the live service finds the model."""
    version_key: str = Field(default="model_version", min_length=1)
    """Redis key of the live model's version, an integer."""
    model_limit_mebibytes: int = Field(default=256, ge=1, le=512)
    """A live model larger than this is not read; 512 MiB is the most that Redis keeps under one key."""
    deviation_class: str = Field(
        default="retraining_job.deviation.StandardAbsoluteDeviation", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
    )
    """The name under which the deviation score's class stands in the pickle, as the reader imports it."""
    deviation_feature: str = Field(default="amount", min_length=1)
    """The feature whose deviation is scored."""
    log_format: Literal["text", "json"] = "text"


class Window(BaseModel):
    """The events that a run has read."""

    model_config = ConfigDict(frozen=True)

    first: datetime
    last: datetime
    rows: int


class Figures(BaseModel):
    """What one contender reached on the hold-out."""

    model_config = ConfigDict(frozen=True)

    precision: float
    """The share of right predictions, which the old service calls precision (it is the accuracy)."""


class Contenders(BaseModel):
    """The figures of both contenders; a champion has none where there is no readable one."""

    model_config = ConfigDict(frozen=True)

    challenger: Figures
    champion: Figures | None = None


class Result(BaseModel):
    """The result document of one run: the container's termination message, at most 4 KiB of JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    verdict: Verdict | None = None
    """None where the run failed."""
    promoted: bool = False
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
