"""What chance reaches: the average precision that the hold-out's labels give to no ranking at all. Pure.

A difference between two models says nothing where the labels have nothing to do with the events:
    both are at chance then, and neither is inferior to the other. So whoever goes live must rank
    better than chance would.
"""

from __future__ import annotations

import numpy as np

DRAWS = 999


def run_permutation_test(truth: np.ndarray, scores: np.ndarray, *, seed: int) -> float:
    """Give the greatest average precision in 999 random orders of the labels; a chance of one in 1,000 is above it.

    A permutation test (Fisher, The Design of Experiments, 1935; Edgington and Onghena,
    Randomization Tests, 2007): it knows how few anomalies there are and which scores are equal.

    Args:
        truth: (n,) 1 for an anomaly, 0 for none; others are left out. One anomaly at least.
        scores: (n,), no NaN.
        seed: of the orders.
    """
    known = truth >= 0
    descending = -np.sort(-scores[known])
    alerts = np.searchsorted(
        -descending, -descending, side="right"
    )  # raised down to each place, equals together
    anomalies, random = int((truth == 1).sum()), np.random.default_rng(seed)
    greatest = 0.0
    for _ in range(DRAWS):
        places = np.sort(random.choice(len(descending), anomalies, replace=False, shuffle=False))
        raised = alerts[places]
        hits = np.searchsorted(places, raised, side="left")
        greatest = max(greatest, float(np.mean(hits / raised)))
    return greatest
