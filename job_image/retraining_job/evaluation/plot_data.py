"""Data for the charts of the report: a thinned precision-recall curve, and histograms of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retraining_job.evaluation.evidence import Curve, ScoreHistogram
from retraining_job.evaluation.metrics import METRIC_DECIMALS, precision_recall

if TYPE_CHECKING:
    from numpy.typing import NDArray

CURVE_POINTS = 200
HISTOGRAM_BINS = 40


def compute_curve(truth: NDArray[np.int8], scores: NDArray[np.float64]) -> Curve | None:
    """Compute the precision-recall curve in at most 200 points.

    Only points at which recall grows are used, because between two of them precision can only fall.
    The first and the last of these points are always included.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous. No NaN.

    Returns:
        The curve, or None if there is no known anomaly.
    """
    recall, precision = precision_recall(truth, scores)
    if len(recall) == 0:
        return None
    grows = np.flatnonzero(np.diff(recall, prepend=0.0))
    shown = grows[np.unique(np.linspace(0, len(grows) - 1, CURVE_POINTS).round().astype(int))]
    return Curve(
        recall=recall[shown].round(METRIC_DECIMALS).tolist(),
        precision=precision[shown].round(METRIC_DECIMALS).tolist(),
    )


def compute_histogram_edges(*scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the edges of 40 equal bins that contain all finite scores.

    Args:
        *scores: Arrays of shape (n,), one for each model.

    Returns:
        Shape (41,), ascending.
    """
    together = np.concatenate(scores)
    return np.histogram_bin_edges(together[np.isfinite(together)], HISTOGRAM_BINS)


def compute_histogram(
    truth: NDArray[np.int8], scores: NDArray[np.float64], edges: NDArray[np.float64]
) -> ScoreHistogram:
    """Count the scores in each bin, separately for anomalies and normal events.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,).
        edges: Shape (bins + 1,), ascending.

    Returns:
        The counts.
    """
    return ScoreHistogram(
        edges=edges.tolist(),
        anomalies=np.histogram(scores[truth == 1], edges)[0].tolist(),
        normal=np.histogram(scores[truth == 0], edges)[0].tolist(),
    )
