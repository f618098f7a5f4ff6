"""What a RetrainRequest may ask for."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from retraining_operator.settings.scalars import Quantity
from retraining_operator.settings.section import Section


class LockedField(StrEnum):
    """The fields of a RetrainRequest's spec that are locked unless `requests.open` names them.

    Each decides what may go live, on which evidence, or which kind of model it is.
    """

    PRESET = "preset"
    ROWS = "rows"
    MINIMUM_ROWS = "minimumRows"
    HOLD_OUT_ROWS = "holdOutRows"
    THRESHOLD = "threshold"
    POLICY = "policy"
    MARGIN = "margin"
    ON_INCONCLUSIVE = "onInconclusive"
    ACCEPT_INPUT_CHANGE = "acceptInputChange"
    PROMOTION = "promotion"
    DRY_RUN = "dryRun"
    SCALING = "scaling"
    CALIBRATION = "calibration"
    ALERTS = "alerts"
    ALERT_BUDGET = "alertBudget"
    ROLLBACK_TO = "rollbackTo"


class Requests(Section):
    """What a RetrainRequest may ask for."""

    open: tuple[LockedField, ...] = ()
    """Locked fields that a request may set to any value."""
    max_deadline_seconds: int = Field(default=0, ge=0)
    """0 stands for a multiple of the operator's own deadline."""
    max_retries: int = Field(default=10, ge=0)
    max_resources: dict[str, Quantity] = Field(default_factory=dict)
    """By the name of the resource. A resource of the operator's default that is missing here may be
    a multiple of that default."""
