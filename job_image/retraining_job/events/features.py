"""From events to what a model learns: features that are finite numbers, and the truth. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from sys import intern
from typing import TYPE_CHECKING, Any

from retraining_job.events.reading import FeatureFacts, ReadingFacts

if TYPE_CHECKING:
    from retraining_job.events.table import Event

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

LAYERS_LIMIT = 10
"""A text inside a text inside a text ...: each layer of JSON about doubles the backslashes, so more do not occur."""


class FeaturesKind(IntEnum):
    """What `features_json` of one event is."""

    OBJECT = 0
    """A JSON object."""
    DECODED = 1
    """A JSON string that holds a JSON object."""
    NOTHING = 2
    """Null, JSON's null, or empty."""
    UNREADABLE = 3
    """Anything else."""


def features_of(event: Event) -> Features:
    """Return the features that the scoring service saw, or neutral ones where they were not kept."""
    return Tally().features_of(event)


class Tally:
    """Counts how the features of events are read while they are read."""

    def __init__(self) -> None:
        self.rows = 0
        self.labelled = 0
        self.neutral = 0
        self.kinds: Counter[FeaturesKind] = Counter()
        self.present: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()
        self.unusable: Counter[str] = Counter()

    def features_of(self, event: Event) -> Features:
        """Return the features of one event as `features_of` does, and count how they were read."""
        values, kind = parsed(event.features_json)
        self.rows += 1
        self.kinds[kind] += 1
        if not values:
            self.neutral += 1
            return {
                "amount": finite(event.amount),
                "amount_vs_user_avg": finite(event.amount_vs_user_avg),
                **NEUTRAL_FEATURES,
            }
        self.present.update(values.keys())
        features = {}
        for name, value in values.items():
            number = number_in(value)
            if number is None:
                self.unusable[name] += 1
            elif isinstance(value, str):
                self.texts[name] += 1
            features[intern(name)] = number or 0.0  # one copy of each name, not one per event
        return features

    def facts(self, left_out: int) -> ReadingFacts:
        """Return what was counted.

        Args:
            left_out: Rows that were left out because their time cannot be used.
        """
        return ReadingFacts(
            rows=self.rows,
            labelled=self.labelled,
            left_out=left_out,
            neutral=self.neutral,
            unreadable=self.kinds[FeaturesKind.UNREADABLE],
            decoded=self.kinds[FeaturesKind.DECODED],
            features=tuple(
                FeatureFacts(name, self.present[name], self.unusable[name], self.texts[name])
                for name in sorted(self.present)
            ),
        )


def parsed(features_json: str | None) -> tuple[dict[str, Any], FeaturesKind]:
    """Read the JSON object of one event, also behind several layers of JSON strings.

    Returns:
        The object, empty if there is none, and what stands there.
    """
    if not features_json:
        return {}, FeaturesKind.NOTHING
    try:
        return object_in(loaded(features_json))
    except (ValueError, RecursionError):
        return {}, FeaturesKind.UNREADABLE


def object_in(value: object) -> tuple[dict[str, Any], FeaturesKind]:
    """Return the JSON object that a JSON value is or holds, empty if there is none, and what the value is.

    Raises:
        ValueError: A string holds no JSON.
        RecursionError: A string holds JSON that is nested too deeply.
    """
    kind = FeaturesKind.OBJECT
    for _ in range(LAYERS_LIMIT):
        if not isinstance(value, str):
            break
        kind = FeaturesKind.DECODED
        if not value.strip():
            return {}, FeaturesKind.NOTHING
        value = loaded(value)
    if value is None:
        return {}, FeaturesKind.NOTHING
    if not isinstance(value, dict) or not all(map(is_storable, value)):
        return {}, FeaturesKind.UNREADABLE
    return value, kind


def loaded(text: str) -> object:
    """Read JSON. A whole number of thousands of digits becomes infinite, where Python would refuse all of the text.

    Raises:
        ValueError: The text is no JSON.
        RecursionError: It is nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        return json.loads(text, parse_int=float)


def is_storable(name: str) -> bool:
    """Return whether a feature's name can be stored: PostgreSQL's jsonb and UTF-8 refuse some that JSON knows."""
    if name.isascii():
        return "\0" not in name
    return not any(mark == "\0" or "\ud800" <= mark <= "\udfff" for mark in name)


def finite(value: object) -> float:
    """Return a value as a finite number, 0 if it is none; a text is read as Python's `float` reads it."""
    return number_in(value) or 0.0


def number_in(value: object) -> float | None:
    """Return the finite number that a value is or, for a text, holds; None if there is none.

    Texts are read as Python's `float` reads them, as the old service did: white space around the
    number, an exponent, digits of any script and underscores between digits are accepted;
    hexadecimal numbers and decimal commas are not.
    """
    if not isinstance(value, (int, float, Decimal, str)):
        return None
    try:
        number = float(value) + 0.0  # makes -0.0, which PostgreSQL's jsonb does not know, 0.0
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def is_anomaly(label: object) -> bool:
    """Read `anomaly_label`; null, and what is no number, counts as no anomaly."""
    if isinstance(label, str):
        return label.strip().lower() in {"1", "1.0", "t", "true", "yes"}
    return finite(label) != 0.0


def tells(label: object) -> bool:
    """Return whether a label tells what an event was; the `recommended` preset ignores the others."""
    if isinstance(label, str):
        return (
            label.strip().lower() in {"t", "true", "yes", "f", "false", "no"}
            or number_in(label) is not None
        )
    return number_in(label) is not None
