"""The trainer's settings that a cluster operator sets under `trainer.*` and a RetrainRequest may override in part.

One field, one default; `values.yaml` repeats them in this order and is checked equal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Preset(StrEnum):
    """A recipe: how rows are ordered, what is learned and how challenger and champion are judged."""

    RECOMMENDED = "recommended"
    REFERENCE = "reference"


class PromotionPolicy(StrEnum):
    """What the challenger must show to be promoted by the `recommended` preset."""

    NON_INFERIOR = "NonInferior"
    """It is worse by no more than the margin, with confidence."""
    SUPERIOR = "Superior"
    """It is better, with confidence."""
    REFERENCE = "Reference"
    """The share of right predictions at the threshold is at least the champion's: the old service's rule."""


class Scaling(StrEnum):
    """How features are brought to [0, 1] before trees are laid over them."""

    AUTO = "Auto"
    """By a logarithm where the training rows have a heavy tail, else linearly."""
    LINEAR = "Linear"
    NONE = "None"
    """Not at all: the trees split raw values between 0 and 1, as the old service's do."""


class OnInconclusive(StrEnum):
    """What becomes of a challenger when the events do not tell."""

    KEEP = "Keep"
    PROMOTE = "Promote"


class Promotion(StrEnum):
    """Who has the last word on a challenger that was judged fit."""

    AUTO = "Auto"
    MANUAL = "Manual"


class ApprovalDecision(StrEnum):
    """A person's word on a challenger that awaits it."""

    APPROVE = "approve"
    REJECT = "reject"


class Tunables(BaseModel):
    """The trainer's settings that a cluster operator sets under `trainer.*` and a RetrainRequest may override."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = Preset.RECOMMENDED
    events_table: str = Field(
        default="scored_events", pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$"
    )
    """Table or view the events come from, optionally with its schema."""
    truth_column: str = Field(default="anomaly_label", pattern=r"^[A-Za-z_][\w$]*$")
    """Its column that holds what an event was; null where that is not known."""
    rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """How many of the newest events are read."""
    minimum_rows: int = Field(default=500, ge=1, le=1_000_000)
    """With fewer events there is no training."""

    policy: PromotionPolicy = PromotionPolicy.NON_INFERIOR
    margin: float = Field(default=0.05, ge=0.0, le=1.0)
    """By how much average precision may be worse and still count as not inferior."""
    alert_rate_factor: float = Field(default=3.0, ge=1.0, le=1000.0)
    """The challenger's alert rate may be at most this many times the champion's, and at least its inverse."""
    alert_budget: float = Field(default=0.01, gt=0.0, le=1.0)
    """The share of events that both may raise an alert for, where precision and recall are compared."""
    hold_out_size: int = Field(default=5_000, ge=1, le=1_000_000)
    """How many of the newest events the `recommended` preset holds out from training and judges on, at first."""
    hold_out_anomalies: int = Field(default=30, ge=1, le=1_000_000)
    """How many known anomalies the hold-out needs: it grows back in time until it has them."""
    hold_out_share: float = Field(default=0.2, gt=0.0, le=0.5)
    """The largest share of all events that is held out."""
    on_inconclusive: OnInconclusive = OnInconclusive.KEEP
    input_change_limit: float = Field(default=0.2, ge=0.0, le=1.0)
    """By how much the share of events that have a feature may fall before the champion stays; 1 turns the guard off."""
    accept_input_change: bool = False
    """Judge the challenger although the shape of the input has changed beyond the limit: the change is intended."""
    promotion: Promotion = Promotion.AUTO
    decision_days: int = Field(default=7, ge=1, le=365)
    """How long a challenger awaits a person's decision, where promotion is Manual."""
    dry_run: bool = False
    """Train and judge, and publish nothing."""
    hold_out_rows: int = Field(default=200, ge=1, le=100_000)
    """The `reference` preset: how many of the newest events challenger and champion are judged on."""

    threshold: float = Field(default=0.7, ge=0.0, le=1.0)
    """A score above this predicts an anomaly."""
    threshold_key: str = ""
    """Redis key where the live service keeps its threshold; the setting counts where it is empty or holds none."""
    scaling: Scaling = Scaling.AUTO
    forest_trees: int = Field(default=25, ge=1, le=1000)
    forest_height: int = Field(default=15, ge=1, le=20)
    """A tree of height h has 2 ** (h + 1) - 1 nodes, 200 bytes and more each."""
    forest_window: int = Field(default=250, ge=1, le=1_000_000)
    """How many events the forest learns before their masses take effect."""
    forest_seed: int = Field(default=42, ge=0)
    """Together with the features' names it decides the trees."""
    forest_weight: float = Field(default=0.7, ge=0.0, le=1.0)
    """The forest's part in a score, as the live service mixes it."""
    deviation_weight: float = Field(default=0.3, ge=0.0, le=1.0)
    """The deviation score's part."""
    deviation_class: str = Field(
        default="retraining_job.deviation.StandardAbsoluteDeviation",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
    )
    """The name under which the deviation score's class stands in the pickle, as the reader imports it."""
    deviation_feature: str = Field(default="amount", min_length=1)
    """The feature whose deviation is scored."""

    database_retries: int = Field(default=3, ge=0, le=100)
    """How often the database is tried again when it is away; Redis too."""
    database_retry_delay_seconds: float = Field(default=30.0, ge=0.0, le=3600.0)
    """How long to wait before each new try."""
    model_key: str = Field(default="active_model", min_length=1)
    """Redis key under which the live service finds the model; the keys beside it begin with it."""
    version_key: str = Field(default="model_version", min_length=1)
    """Redis key of the live model's version, an integer."""
    model_limit_mebibytes: int = Field(default=256, ge=1, le=512)
    """A live model larger than this is not read; 512 MiB is the most that Redis keeps under one key."""
    history_versions: int = Field(default=5, ge=1, le=100)
    """How many former champions Redis keeps to go back to."""
    log_format: Literal["text", "json"] = "text"
