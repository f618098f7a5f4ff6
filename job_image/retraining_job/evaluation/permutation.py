"""Permutation test: the average precision that random orders of the labels reach.

A difference between two models means nothing if the labels are unrelated to the events: both models
rank at random then, and neither is inferior. A challenger must therefore rank better than chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERMUTATIONS = 999
"""A random ranking is above the greatest of these with a probability of 1 in 1,000."""


def run_permutation_test(
    truth: NDArray[np.int8], scores: NDArray[np.float64], *, seed: int
) -> float:
    """Compute the greatest average precision in 999 random orders of the labels.

    The test respects the number of anomalies and ties among the scores. Sources: Fisher, The Design
    of Experiments, 1935; Edgington and Onghena, Randomization Tests, 2007.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown. Rows with unknown
            truth are ignored. At least one anomaly.
        scores: Shape (n,). Higher means more anomalous. No NaN.
        seed: The seed of the random orders.

    Returns:
        The greatest average precision, in [0, 1].
    """
    known = truth >= 0
    descending = -np.sort(-scores[known])
    # Alerts raised down to each rank. Rows with equal scores raise their alerts together.
    alerts = np.searchsorted(-descending, -descending, side="right")
    anomalies, random = int((truth == 1).sum()), np.random.default_rng(seed)
    greatest = 0.0
    for _ in range(PERMUTATIONS):
        ranks = np.sort(random.choice(len(descending), anomalies, replace=False, shuffle=False))
        raised = alerts[ranks]
        true_alerts = np.searchsorted(ranks, raised, side="left")
        greatest = max(greatest, float(np.mean(true_alerts / raised)))
    return greatest
