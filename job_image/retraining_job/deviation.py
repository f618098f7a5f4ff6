"""The deviation score, the second part of the model beside the forest.

The import path `retraining_job.deviation.StandardAbsoluteDeviation` is part of the pickle format:
readers import it when they unpickle a model. That is why this module stays at the top of the
package. The setting `trainer.deviationClass` sets another path; the class there needs the same
attributes. Only the name and the two methods of the old service's class are known. What it computes
is an assumption, and this is the only place to change it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np


class StandardAbsoluteDeviation:
    """The distance of one feature from its mean, from 0 (at the mean) to 1.

    A distance of three standard deviations or more scores 1. Mean and variance are updated by
    Welford's method, which stays accurate over long streams.

    Args:
        feature: The name of the feature.
    """

    def __init__(self, feature: str = "amount") -> None:
        self.feature = feature
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0

    def learn_one(self, features: Mapping[str, float]) -> None:
        """Learn one event. An event without the feature changes nothing."""
        value = features.get(self.feature)
        if value is not None:
            self.learn_values((value,))

    def learn_values(self, values: Iterable[float]) -> None:
        """Learn the feature's values of many events, in order. Ignores non-finite values."""
        count, mean, squares = self.count, self.mean, self.squares
        for value in values:
            if math.isfinite(value):
                count += 1
                difference = value - mean
                mean += difference / count
                squares += difference * (value - mean)
        self.count, self.mean, self.squares = count, mean, squares

    def score_one(self, features: Mapping[str, float]) -> float:
        """Compute the score of one event. It is 0 if fewer than two events were learned."""
        value = features.get(self.feature)
        if value is None or not math.isfinite(value) or self.count < 2:
            return 0.0
        distance = abs(value - self.mean)
        if distance == 0.0:
            return 0.0
        deviation = math.sqrt(self.squares / (self.count - 1))
        return min(distance / (3.0 * deviation), 1.0) if deviation > 0.0 else 1.0

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Compute the scores of many events, equal to `score_one` on each.

        Args:
            values: Shape (n,), float64. The values of the feature, NaN if an event lacks it.

        Returns:
            Shape (n,), float64. From 0 to 1.
        """
        scores = np.zeros(len(values))
        if self.count < 2:
            return scores
        deviation = math.sqrt(self.squares / (self.count - 1))
        with np.errstate(over="ignore", invalid="ignore"):
            distance = np.abs(values - self.mean)
            ratio = distance / (3.0 * deviation) if deviation > 0.0 else np.ones(len(values))
        deviates = np.isfinite(values) & (distance != 0.0)
        scores[deviates] = np.minimum(ratio, 1.0)[deviates]
        return scores
