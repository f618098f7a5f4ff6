"""The scores that one model gives to the hold-out, for each of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    """The scores of one model. Both arrays have one value for each row of the hold-out.

    Args:
        hst: Shape (n,), float64. The scores of the forest.
        sad: Shape (n,), float64. The deviation scores.
    """

    hst: NDArray[np.float64]
    sad: NDArray[np.float64]

    def combine(self, forest_weight: float, deviation_weight: float) -> NDArray[np.float64]:
        """Compute the combined score, as the live service does.

        Args:
            forest_weight: The weight of the forest score.
            deviation_weight: The weight of the deviation score.

        Returns:
            Shape (n,), float64. The weighted sum of both scores.
        """
        combined: NDArray[np.float64] = forest_weight * self.hst + deviation_weight * self.sad
        return combined

    def find_problem(self, forest_weight: float, deviation_weight: float) -> str:
        """Return why these scores cannot rank events.

        A constant deviation score is accepted, because the events may lack its feature.

        Args:
            forest_weight: The weight of the forest score. If it is 0, the forest is not checked.
            deviation_weight: The weight of the deviation score.

        Returns:
            A clause that completes a sentence, or an empty string if the scores are usable.
        """
        parts = {"score": self.combine(forest_weight, deviation_weight)}
        if forest_weight > 0.0:
            parts["forest score"] = self.hst
        for name, values in parts.items():
            if not_finite := int((~np.isfinite(values)).sum()):
                count = f"{not_finite:,} of {len(values):,} events"
                return f"its {name} is not a finite number for {count}"
            if len(values) and (values == values[0]).all():
                return f"its {name} is {values[0]:.6g} for all {len(values):,} events"
        return ""


def replace_non_finite(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores of shape (n,) with NaN and infinities as -inf, which ranks them last."""
    return np.where(np.isfinite(scores), scores, -np.inf)
