"""Features of single events, as the `reference` preset learns them, and how they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from sys import intern
from typing import TYPE_CHECKING

from retraining_job.events.feature_json import FeaturesKind, parse_features_json
from retraining_job.events.feature_values import parse_finite_number, parse_finite_or_zero
from retraining_job.events.reading import FeatureFacts, ReadingFacts

if TYPE_CHECKING:
    from retraining_job.events.scored_event import ScoredEvent

Features = dict[str, float]
"""The features of one event by name."""

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
"""Used if an event's own features were not stored, beside `amount` and `amount_vs_user_avg`."""


def read_features(event: ScoredEvent) -> Features:
    """Return the features that the scoring service saw, or neutral ones if they were not stored."""
    return Tally().read_features(event)


class Tally:
    """Counts how the features of events are read."""

    def __init__(self) -> None:
        self.rows = 0
        self.labelled = 0
        self.neutral = 0
        self.kinds: Counter[FeaturesKind] = Counter()
        self.present: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()
        self.unusable: Counter[str] = Counter()

    def read_features(self, event: ScoredEvent) -> Features:
        """Return the features of one event, as the function `read_features`, and count them."""
        values, kind = parse_features_json(event.features_json)
        self.rows += 1
        self.kinds[kind] += 1
        if not values:
            self.neutral += 1
            return {
                "amount": parse_finite_or_zero(event.amount),
                "amount_vs_user_avg": parse_finite_or_zero(event.amount_vs_user_avg),
                **NEUTRAL_FEATURES,
            }
        self.present.update(values.keys())
        features = {}
        for name, value in values.items():
            number = parse_finite_number(value)
            if number is None:
                self.unusable[name] += 1
            elif isinstance(value, str):
                self.texts[name] += 1
            features[intern(name)] = number or 0.0  # one copy of each name, not one per event
        return features

    def build_facts(self, left_out: int) -> ReadingFacts:
        """Return the counts of all events.

        Args:
            left_out: The number of rows that were left out because their time cannot be used.
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
