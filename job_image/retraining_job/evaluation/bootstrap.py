"""Confidence bounds for a difference of average precision: a paired, stratified bootstrap.

Rows are drawn with replacement, separately for anomalies and normal events, so that each resample
has as many of both as the hold-out. Both models are evaluated on the same resamples. The bounds are
percentiles of the resampled differences. Sources: Efron and Tibshirani, An Introduction to the
Bootstrap, 1993, chapter 13; Boyd, Eng and Page, Area Under the Precision-Recall Curve: Point
Estimates and Confidence Intervals, ECML PKDD 2013.

The bounds do not include the variation of training. Two healthy models that differ only in their
training rows differ by more than these bounds, so the margin of a policy must be wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.evaluation.evidence import Comparison

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1_000
CONFIDENCE = 0.95
CELLS_AT_ONCE = 1 << 20
"""Limits the memory: counts drawn at once. Each takes 8 bytes, and there are three copies."""


def compute_comparison(
    truth: NDArray[np.int8],
    challenger: NDArray[np.float64],
    champion: NDArray[np.float64],
    *,
    difference: float,
    seed: int,
) -> Comparison:
    """Compute one-sided confidence bounds for the difference of average precision.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        challenger: Shape (n,). The combined scores of the challenger. No NaN.
        champion: Shape (n,). The combined scores of the champion. No NaN.
        difference: The difference on the hold-out, challenger minus champion.
        seed: The seed of the resamples.

    Returns:
        The difference with its bounds.
    """
    precisions = resample_precisions(truth, [challenger, champion], seed=seed)
    lower, upper = np.quantile(precisions[0] - precisions[1], [1.0 - CONFIDENCE, CONFIDENCE])
    return Comparison(
        difference=difference,
        lower=float(lower),
        upper=float(upper),
        confidence=CONFIDENCE,
        draws=RESAMPLES,
        seed=seed,
    )


def resample_precisions(
    truth: NDArray[np.int8],
    contenders: Sequence[NDArray[np.float64]],
    *,
    seed: int,
    draws: int = RESAMPLES,
) -> NDArray[np.float64]:
    """Compute the average precision of each model in each resample.

    Average precision depends on how many normal events score between two anomalies, not on which.
    The scores of the anomalies divide the range of each model's scores into intervals. A cell is a
    combination of one interval of each model. The normal events are drawn as one count for each
    cell that contains any. A multinomial draw of these counts is equivalent to drawing rows, and
    there are hundreds of cells instead of thousands of rows.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event. Other rows are ignored. At least
            one anomaly and one normal event.
        contenders: The scores of each model, shape (n,). No NaN.
        seed: The seed of the resamples.
        draws: The number of resamples.

    Returns:
        Shape (models, draws), float64. Average precision in [0, 1].
    """
    anomalies = [scores[truth == 1] for scores in contenders]
    normal = [scores[truth == 0] for scores in contenders]
    orders = [np.argsort(-scores, kind="stable") for scores in anomalies]
    levels = [-scores[order] for scores, order in zip(anomalies, orders, strict=True)]
    intervals = np.array(
        [np.searchsorted(level, -scores) for level, scores in zip(levels, normal, strict=True)]
    )
    cells, sizes = np.unique(intervals, axis=1, return_counts=True)
    n_anomalies, n_normal = len(anomalies[0]), len(normal[0])
    random = np.random.default_rng(seed)
    step = max(1, CELLS_AT_ONCE // (len(sizes) + n_anomalies))
    precisions = np.empty((len(contenders), draws))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        hits = random.multinomial(n_anomalies, np.full(n_anomalies, 1.0 / n_anomalies), size)
        misses = random.multinomial(n_normal, sizes / n_normal, size)
        for model, (order, level) in enumerate(zip(orders, levels, strict=True)):
            precisions[model, start : start + size] = _average_precisions(
                hits[:, order], misses, cells[model], level
            )
    return precisions


def _average_precisions(
    hits: NDArray[np.int64],
    misses: NDArray[np.int64],
    cells: NDArray[np.int64],
    level: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Compute the average precision of one model in each of some resamples.

    Args:
        hits: Shape (draws, anomalies). How often each anomaly was drawn, highest score first.
        misses: Shape (draws, cells). How many normal events of each cell were drawn.
        cells: Shape (cells,). How many anomalies score higher than the events of the cell.
        level: Shape (anomalies,). The negated scores of the anomalies, ascending.

    Returns:
        Shape (draws,).
    """
    n_anomalies = len(level)
    # Anomalies with equal scores raise their alerts together.
    last = np.searchsorted(level, level, side="right") - 1
    true_alerts = np.cumsum(hits, axis=1)[:, last]
    by_cell = np.argsort(cells, kind="stable")
    ends = np.searchsorted(cells[by_cell], np.arange(n_anomalies), side="right")
    passed = np.cumsum(misses[:, by_cell], axis=1)
    false_alerts = np.where(ends > 0, passed[:, ends - 1], 0)[:, last]
    precision = true_alerts / np.maximum(true_alerts + false_alerts, 1)
    total: NDArray[np.float64] = (hits * precision).sum(axis=1) / n_anomalies
    return total
