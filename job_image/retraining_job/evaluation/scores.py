"""What one contender makes of the hold-out, part by part. Pure; made by `recommended`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """The scores of one contender, (n,) each, one for every row of the hold-out."""

    hst: np.ndarray
    """The forest's."""
    sad: np.ndarray
    """The deviation score's."""

    def combine(self, forest_weight: float, deviation_weight: float) -> np.ndarray:
        """Mix both as the live service does."""
        mixed: np.ndarray = forest_weight * self.hst + deviation_weight * self.sad
        return mixed

    def find_problem(self, forest_weight: float, deviation_weight: float) -> str:
        """Say why nothing can be made of these scores, as the end of a sentence; empty where something can.

        A deviation score that is always the same is no reason: its feature may simply not be there.
        """
        parts = {"score": self.combine(forest_weight, deviation_weight)}
        if forest_weight > 0.0:
            parts["forest's score"] = self.hst
        for name, values in parts.items():
            if odd := int((~np.isfinite(values)).sum()):
                return f"its {name} is no finite number for {odd:,} of {len(values):,} events"
            if len(values) and (values == values[0]).all():
                return f"its {name} is {values[0]:.6g} for every one of {len(values):,} events"
        return ""


def replace_non_finite(scores: np.ndarray) -> np.ndarray:
    """Put what is no finite number below everything else, so that scores can be sorted and compared."""
    return np.where(np.isfinite(scores), scores, -np.inf)
