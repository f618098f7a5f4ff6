"""The deviation score, the second part of the model beside the forest.

The old service's class of this name is known by its name and its two methods alone; what it computes is an assumption,
and this is the one place to change it. Readers need a class with these attributes under the name that the setting
`trainer.deviationClass` gives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping


class StandardAbsoluteDeviation:
    """How far one feature lies from its mean so far, from 0 (at the mean) to 1 (three standard deviations or more).

    Mean and variance are kept by Welford's method, which stays exact over long streams.
    """

    def __init__(self, feature: str = "amount") -> None:
        self.feature = feature
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0

    def learn_one(self, features: Mapping[str, float]) -> None:
        """Take one event into account; one without the feature changes nothing."""
        value = features.get(self.feature)
        if value is None or not math.isfinite(value):
            return
        self.count += 1
        difference = value - self.mean
        self.mean += difference / self.count
        self.squares += difference * (value - self.mean)

    def score_one(self, features: Mapping[str, float]) -> float:
        """Score one event: 0 where too little is known."""
        value = features.get(self.feature)
        if value is None or not math.isfinite(value) or self.count < 2:
            return 0.0
        distance = abs(value - self.mean)
        if distance == 0.0:
            return 0.0
        deviation = math.sqrt(self.squares / (self.count - 1))
        return min(distance / (3.0 * deviation), 1.0) if deviation > 0.0 else 1.0
