"""From events to what a model learns: features that are finite numbers, and the truth. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from sys import intern
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.events import Event

Features = dict[str, float]

NEUTRAL_FEATURES: Mapping[str, float] = {
    "amount_zscore": 0.0,
    "tx_velocity_ratio": 0.0,
    "is_high_risk_merchant": 0.0,
    "is_odd_hour": 0.0,
    "location_match": 0.5,
    "device_known": 0.5,
    "risk_score_raw": 0.0,
    "hour_of_day": 12.0,
    "day_of_week": 3.0,
}
"""What stands for an event whose features were not kept, beside `amount` and `amount_vs_user_avg` from its columns."""


def features_of(event: Event) -> Features:
    """Give the features that the scoring service saw, or neutral ones where they were not kept."""
    kept = parsed(event.features_json)
    if kept is None:
        return {
            "amount": finite(event.amount),
            "amount_vs_user_avg": finite(event.amount_vs_user_avg),
            **NEUTRAL_FEATURES,
        }
    return {intern(name): finite(value) for name, value in kept.items()}  # one copy of each name, not one per event


def parsed(features_json: str | None) -> dict[str, object] | None:
    """Read the JSON object; None where there is none, or something else."""
    if not features_json:
        return None
    try:
        value = json.loads(features_json)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value else None


def finite(value: object) -> float:
    """Make a value a finite number; what is none counts as 0."""
    if not isinstance(value, (int, float, Decimal)):
        return 0.0
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def is_anomaly(label: object) -> bool:
    """Read `anomaly_label`; null, and what is no number, counts as no anomaly."""
    if isinstance(label, str):
        return label.strip().lower() in {"1", "1.0", "t", "true", "yes"}
    return finite(label) != 0.0
