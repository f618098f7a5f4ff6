"""The deviation score, the second part of the model beside the forest.

The old service's class of this name is known by its name and its two methods alone; what it
computes is an assumption, and this is the one place to change it. Readers need a class with these
attributes under the name that the setting `trainer.deviationClass` gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np


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
        if value is not None:
            self.learn_values((value,))

    def learn_values(self, values: Iterable[float]) -> None:
        """Take many events' values of the feature into account, in their order; what is not finite changes nothing."""
        count, mean, squares = self.count, self.mean, self.squares
        for value in values:
            if math.isfinite(value):
                count += 1
                difference = value - mean
                mean += difference / count
                squares += difference * (value - mean)
        self.count, self.mean, self.squares = count, mean, squares

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

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Score many events by their values of the feature, NaN where one has not got it: as `score_one` on each."""
        scores = np.zeros(len(values))
        if self.count < 2:
            return scores
        deviation = math.sqrt(self.squares / (self.count - 1))
        with np.errstate(over="ignore", invalid="ignore"):
            distance = np.abs(values - self.mean)
            ratio = distance / (3.0 * deviation) if deviation > 0.0 else np.ones(len(values))
        away = np.isfinite(values) & (distance != 0.0)
        scores[away] = np.minimum(ratio, 1.0)[away]
        return scores
