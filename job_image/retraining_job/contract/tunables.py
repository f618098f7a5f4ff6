"""The trainer's settings that the chart sets under `trainer.*` and a RetrainRequest may override.

Each field has one default. `values.yaml` repeats the fields in this order; a test compares them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from retraining_job.contract.environment import value_name


class Preset(StrEnum):
    """A named pipeline: how rows are ordered, what is learned, and how models are evaluated."""

    RECOMMENDED = "recommended"
    REFERENCE = "reference"


class PromotionPolicy(StrEnum):
    """What the challenger must show to be promoted by the `recommended` preset."""

    NON_INFERIOR = "NonInferior"
    """It is worse by no more than the margin, with confidence."""
    SUPERIOR = "Superior"
    """It is better, with confidence."""
    REFERENCE = "Reference"
    """Its share of right predictions at the threshold is at least the champion's (the old rule)."""


class Scaling(StrEnum):
    """How features are scaled to [0, 1] before trees split them."""

    AUTO = "Auto"
    """By a logarithm if the training rows have a heavy tail, else linearly."""
    LINEAR = "Linear"
    NONE = "None"
    """Not at all: the trees split raw values between 0 and 1, as the old service's do."""


class Calibration(StrEnum):
    """Whether the parts of a challenger are adjusted to each other before its evaluation."""

    AUTO = "Auto"
    """Forest and deviation score are chosen so that the combined score ranks best on the newest
    training rows, and so that the live threshold keeps its meaning."""
    NONE = "None"
    """The forest has the configured shape, and the deviation score its plain moments."""


class Alerts(StrEnum):
    """For which share of the events a calibrated challenger raises an alert."""

    KEEP_CHAMPION = "KeepChampion"
    """For the share for which the champion does. Without a champion, as `Budget`."""
    BUDGET = "Budget"
    """For `alertBudget`."""


class OnInconclusive(StrEnum):
    """What happens to a challenger if the events do not allow a conclusion."""

    KEEP = "Keep"
    PROMOTE = "Promote"


class Promotion(StrEnum):
    """Whether a fit challenger goes live by itself or waits for approval."""

    AUTO = "Auto"
    MANUAL = "Manual"


class ApprovalAnswer(StrEnum):
    """What a person answers to a challenger that waits for approval."""

    APPROVE = "approve"
    REJECT = "reject"


class PipelineSettings(BaseModel):
    """Which pipeline runs, and on which events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = Preset.RECOMMENDED
    events_table: str = Field(
        default="scored_events", pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$"
    )
    """Table or view that events are read from, optionally with its schema."""
    truth_column: str = Field(default="anomaly_label", pattern=r"^[A-Za-z_][\w$]*$")
    """Its column that holds the label; null if the label is unknown."""
    deviation_feature: str = Field(default="amount", min_length=1)
    """The feature of the deviation score."""
    rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """How many of the newest events are read."""
    minimum_rows: int = Field(default=500, ge=1, le=1_000_000)
    """With fewer events, nothing is trained."""


class EvaluationSettings(PipelineSettings):
    """How both models are scored and compared, and what the challenger must show."""

    threshold: float = Field(default=0.7, ge=0.0, le=1.0)
    """A score above this predicts an anomaly."""
    threshold_key: str = ""
    """Redis key of the live threshold. If no key is set or it holds none, `threshold` is used."""
    forest_weight: float = Field(default=0.7, ge=0.0, le=1.0)
    """The weight of the forest in the combined score, as in the live service."""
    deviation_weight: float = Field(default=0.3, ge=0.0, le=1.0)
    """The weight of the deviation score."""
    policy: PromotionPolicy = PromotionPolicy.NON_INFERIOR
    margin: float = Field(default=0.05, ge=0.0, le=1.0)
    """By how much average precision may be worse and still count as not inferior."""
    alert_rate_factor: float = Field(default=3.0, ge=1.0, le=1000.0)
    """The challenger's alert rate may be at most this many times the champion's, and at least the
    champion's divided by this."""
    alert_budget: float = Field(default=0.01, gt=0.0, le=1.0)
    """The share of events for which alerts are raised when precision and recall are compared, and
    the target of a calibration with `alerts: Budget`."""
    alerts: Alerts = Alerts.KEEP_CHAMPION
    """The share of events for which a calibrated challenger raises an alert."""
    hold_out_size: int = Field(default=5_000, ge=1, le=1_000_000)
    """The `recommended` preset: how many of the newest events are held out at first."""
    hold_out_anomalies: int = Field(default=30, ge=1, le=1_000_000)
    """How many known anomalies the hold-out needs. It grows towards older events to have them."""
    hold_out_share: float = Field(default=0.2, gt=0.0, le=0.5)
    """The largest share of all events that is held out."""
    hold_out_rows: int = Field(default=200, ge=1, le=100_000)
    """The `reference` preset: how many of the newest events both models are tested on."""
    on_inconclusive: OnInconclusive = OnInconclusive.KEEP
    input_change_limit: float = Field(default=0.2, ge=0.0, le=1.0)
    """By how much the share of events with a feature may fall. If it falls by more, the champion
    stays. With 1, it may fall by any amount."""
    accept_input_change: bool = False
    """If true, a change of the input shape beyond the limit does not stop a promotion."""


class PromotionSettings(BaseModel):
    """What happens to a challenger that may go live."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    promotion: Promotion = Promotion.AUTO
    approval_days: int = Field(default=7, ge=1, le=365)
    """How long a challenger waits for approval, if promotion is Manual."""
    dry_run: bool = False
    """Train and evaluate, and publish nothing."""
    publish_threshold: bool = False
    """A promotion also writes the threshold of its model to `threshold_key`. It differs from the
    live one only if no level of a calibration reaches the alert rate. A rollback restores it."""


class ModelSettings(PipelineSettings):
    """How a model is trained."""

    calibration: Calibration = Calibration.AUTO
    """The `recommended` preset: whether shape and level are chosen for the combined score."""
    scaling: Scaling = Scaling.AUTO
    forest_trees: int = Field(default=25, ge=1, le=1000)
    forest_height: int = Field(default=15, ge=1, le=20)
    """A tree of height h has 2 ** (h + 1) - 1 nodes, 200 bytes and more each."""
    forest_window: int = Field(default=250, ge=1, le=1_000_000)
    """How many events the forest learns before their masses take effect."""
    forest_seed: int = Field(default=42, ge=0)
    """Together with the names of the features, it determines the trees."""


class StorageSettings(BaseModel):
    """Where models are stored, and what happens while a dependency is unavailable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deviation_class: str = Field(
        default="retraining_job.deviation.StandardAbsoluteDeviation",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
    )
    """The name of the deviation score's class in the pickle, as the reader imports it."""
    model_key: str = Field(default="active_model", min_length=1, pattern=r"^[^\r\n]*$")
    """Redis key of the live model. The other keys begin with it."""
    version_key: str = Field(default="model_version", min_length=1)
    """Redis key of the live model's version, an integer."""
    model_limit_mebibytes: int = Field(default=256, ge=1, le=512)
    """A larger live model is not read. Redis stores at most 512 MiB under one key."""
    history_versions: int = Field(default=5, ge=1, le=100)
    """How many former champions Redis stores for a rollback."""
    database_retries: int = Field(default=3, ge=0, le=100)
    """How often a step is retried while the database or Redis is unavailable."""
    database_retry_delay_seconds: float = Field(default=30.0, ge=0.0, le=3600.0)
    """The delay before each retry."""
    read_timeout_seconds: float = Field(default=900.0, ge=0.0, le=86_400.0)
    """The database ends a statement that reads after this time. With 0, only its own limits count.
    A shorter limit of the role, the database or the server stays in force."""
    read_lock_timeout_seconds: float = Field(default=60.0, ge=0.0, le=86_400.0)
    """How long such a statement waits for a lock."""


class Tunables(StorageSettings, ModelSettings, PromotionSettings, EvaluationSettings):
    """The trainer's settings that the chart sets and a RetrainRequest may override.

    The fields of the last base class come first.
    """

    @field_validator("publish_threshold")
    @classmethod
    def check_threshold_key(cls, value: bool, info: ValidationInfo) -> bool:
        """Check that there is a key to publish the threshold under.

        Args:
            value: Whether thresholds are published.
            info: The fields before this one.

        Returns:
            The value.

        Raises:
            ValueError: There is no key.
        """
        if value and not info.data.get("threshold_key"):
            raise ValueError(f"it needs {value_name('threshold_key')}")
        return value

    log_format: Literal["text", "json"] = "text"
