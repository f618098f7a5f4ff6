"""How sure a difference in average precision is: a paired, stratified bootstrap. Pure; for `recommended`.

Rows are drawn with replacement, anomalies and others apart, so that each draw has as many of either
as the hold-out; both contenders meet the same draws. The bounds are the percentiles of the drawn
values (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; for the area under
precision and recall: Boyd, Eng and Page, Area Under the Precision-Recall Curve: Point Estimates and
Confidence Intervals, ECML PKDD 2013).

What is not in it: the chance in training. Two healthy models that differ by their training rows
    alone differ by more than these bounds say, so the margin of a policy has to be wider than they
    are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retraining_job.evaluation.evidence import Comparison

DRAWS = 1_000
CONFIDENCE = 0.95
CELLS_AT_ONCE = 1 << 20
"""Bounds the memory: counts drawn at a time, 8 bytes each and held three times over."""


def resample_precisions(
    truth: np.ndarray, contenders: Sequence[np.ndarray], *, seed: int, draws: int = DRAWS
) -> np.ndarray:
    """Give the average precision of each contender in each draw: (contenders, draws).

    Between two anomalies' scores it does not matter which of the others it was that were drawn,
    only how many. So the others are drawn as counts in cells, one for each pair of such intervals
    in which some of them lie: a multinomial draw, which is the same as drawing rows, and hundreds
    of cells instead of thousands of rows.

    Args:
        truth: (n,) 1 for an anomaly, 0 for none; others are left out. One of each at least.
        contenders: the scores of each, (n,), no NaN.
        seed: of the draws.
        draws: how many.
    """
    anomalies = [scores[truth == 1] for scores in contenders]
    others = [scores[truth == 0] for scores in contenders]
    orders = [np.argsort(-scores, kind="stable") for scores in anomalies]
    levels = [-scores[order] for scores, order in zip(anomalies, orders, strict=True)]
    places = np.array(
        [np.searchsorted(level, -scores) for level, scores in zip(levels, others, strict=True)]
    )
    cells, counts = np.unique(places, axis=1, return_counts=True)
    found, rest = len(anomalies[0]), len(others[0])
    random = np.random.default_rng(seed)
    step = max(1, CELLS_AT_ONCE // (len(counts) + found))
    result = np.empty((len(contenders), draws))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        hits = random.multinomial(found, np.full(found, 1.0 / found), size)
        misses = random.multinomial(rest, counts / rest, size)
        for number, (order, level) in enumerate(zip(orders, levels, strict=True)):
            drawn = hits[:, order]
            last = (
                np.searchsorted(level, level, side="right") - 1
            )  # equal scores raise their alerts together
            true_alerts = np.cumsum(drawn, axis=1)[:, last]
            by_place = np.argsort(cells[number], kind="stable")
            ends = np.searchsorted(cells[number][by_place], np.arange(found), side="right")
            passed = np.cumsum(misses[:, by_place], axis=1)
            false_alerts = np.where(ends > 0, passed[:, ends - 1], 0)[:, last]
            precision = true_alerts / np.maximum(true_alerts + false_alerts, 1)
            result[number, start : start + size] = (drawn * precision).sum(axis=1) / found
    return result


def compute_comparison(
    truth: np.ndarray, challenger: np.ndarray, champion: np.ndarray, *, difference: float, seed: int
) -> Comparison:
    """Bound the difference of average precision, challenger less champion, at one side each."""
    precisions = resample_precisions(truth, [challenger, champion], seed=seed)
    lower, upper = np.quantile(precisions[0] - precisions[1], [1.0 - CONFIDENCE, CONFIDENCE])
    return Comparison(
        difference=difference,
        lower=float(lower),
        upper=float(upper),
        confidence=CONFIDENCE,
        draws=DRAWS,
        seed=seed,
    )
