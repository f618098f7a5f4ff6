"""Metrics of a model on the hold-out: how well its scores rank, and how often they raise an alert.

Truth is 1 for an anomaly, 0 for a normal event, and -1 if unknown. Rows of unknown truth count only
in the number of alerts. No order among equal scores is assumed, because it would be the order of
the rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.contract import ContenderMetrics, EvaluationSettings, PartMetrics
from retraining_job.evaluation.scores import Scores, replace_non_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRIC_DECIMALS = 6
"""Decimals of a metric in the result document, which must stay below 4 KiB."""


def average_precision(truth: NDArray[np.int8], scores: NDArray[np.float64]) -> float | None:
    """Compute the average precision of a ranking: the sum of (R_k - R_(k-1)) * P_k.

    There is one step for each distinct score, and no interpolation between steps, as in
    scikit-learn's `average_precision_score`. Source: Davis and Goadrich, The Relationship Between
    Precision-Recall and ROC Curves, ICML 2006.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous. No NaN.

    Returns:
        The average precision in [0, 1], or None if there is no known anomaly.
    """
    recall, precision = precision_recall(truth, scores)
    if len(recall) == 0:
        return None
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_recall(
    truth: NDArray[np.int8], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute recall and precision at each distinct score, from the highest to the lowest.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous. No NaN.

    Returns:
        Recall and precision, each of shape (distinct scores,), in [0, 1]. Both are empty if there
        is no known anomaly.
    """
    known = truth >= 0
    positive, scores = truth[known] == 1, scores[known]
    if not positive.any():
        return np.empty(0), np.empty(0)
    order = np.argsort(-scores)
    descending = scores[order]
    ends = np.append(np.flatnonzero(descending[1:] != descending[:-1]), len(order) - 1)
    true_alerts = np.cumsum(positive[order])[ends]
    return true_alerts / true_alerts[-1], true_alerts / (ends + 1)


def roc_auc(truth: NDArray[np.int8], scores: NDArray[np.float64]) -> float | None:
    """Compute the area under the ROC curve.

    It is the probability that an anomaly scores higher than a normal event. A tie counts half.
    Source: Mann and Whitney, On a Test of Whether One of Two Random Variables Is Stochastically
    Larger than the Other, 1947.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous. No NaN.

    Returns:
        The area in [0, 1], or None unless there are both anomalies and normal events.
    """
    anomalies, normal = scores[truth == 1], np.sort(scores[truth == 0])
    if len(anomalies) == 0 or len(normal) == 0:
        return None
    below = np.searchsorted(normal, anomalies)
    not_above = np.searchsorted(normal, anomalies, side="right")
    return float((below + not_above).sum() / (2.0 * len(anomalies) * len(normal)))


def precision_recall_at_budget(
    truth: NDArray[np.int8], scores: NDArray[np.float64], budget: float
) -> tuple[float | None, float | None]:
    """Compute precision and recall if the highest-scored rows raise an alert, up to a budget.

    Rows with the same score at the edge of the budget share the remaining alerts equally. This is
    the expected value of a random choice among them.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous. No NaN.
        budget: The share of all rows that may raise an alert. The number is rounded up.

    Returns:
        Precision, or None if no labelled row raises an alert; and recall, or None if there is no
        known anomaly.
    """
    alerts = min(len(scores), math.ceil(budget * len(scores)))
    if alerts == 0:
        return None, None
    edge = np.partition(scores, len(scores) - alerts)[len(scores) - alerts]
    above, at_edge = scores > edge, scores == edge
    edge_share = (alerts - above.sum()) / at_edge.sum()

    def count_alerts(rows: NDArray[np.bool_]) -> float:
        return float((rows & above).sum() + edge_share * (rows & at_edge).sum())

    hits, misses = count_alerts(truth == 1), count_alerts(truth == 0)
    anomalies = int((truth == 1).sum())
    precision = hits / (hits + misses) if hits + misses else None
    return precision, (hits / anomalies if anomalies else None)


def precision_recall_at_threshold(
    truth: NDArray[np.int8], scores: NDArray[np.float64], threshold: float
) -> tuple[float | None, float | None]:
    """Compute precision and recall if each score above a threshold raises an alert.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous.
        threshold: The threshold.

    Returns:
        Precision and recall. Each is None if its denominator is zero.
    """
    alert = scores > threshold
    hits = int((alert & (truth == 1)).sum())
    labelled_alerts = int((alert & (truth >= 0)).sum())
    anomalies = int((truth == 1).sum())
    return (
        hits / labelled_alerts if labelled_alerts else None,
        hits / anomalies if anomalies else None,
    )


def alert_rate(scores: NDArray[np.float64], threshold: float) -> float:
    """Compute the share of rows with a score above the threshold.

    Args:
        scores: Shape (n,). At least one row.
        threshold: The threshold.

    Returns:
        The share in [0, 1].
    """
    return float(np.mean(scores > threshold))


def accuracy(
    truth: NDArray[np.int8], scores: NDArray[np.float64], threshold: float
) -> float | None:
    """Compute the share of correct predictions, which the old service calls "precision".

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous.
        threshold: A score above it predicts an anomaly.

    Returns:
        The share in [0, 1], or None if no row has a label.
    """
    known = truth >= 0
    if not known.any():
        return None
    return float(np.mean((scores[known] > threshold) == (truth[known] == 1)))


def find_matching_threshold(scores: NDArray[np.float64], alerts: int) -> float:
    """Find the threshold above which a given number of rows score.

    Args:
        scores: Shape (n,). At least one row. No NaN.
        alerts: The number of alerts.

    Returns:
        The threshold. Fewer rows are above it if rows at the edge have equal scores.
    """
    descending = np.sort(scores)[::-1]
    if alerts >= len(descending):
        return float(np.nextafter(descending[-1], -np.inf))
    below = descending[alerts]
    if alerts == 0:
        return float(below)
    above = descending[alerts - 1]
    middle = below + (above - below) / 2.0
    return float(middle if middle < above else below)


def compute_metrics(
    truth: NDArray[np.int8], scores: Scores, settings: EvaluationSettings, threshold: float
) -> ContenderMetrics:
    """Compute all metrics of one model on the hold-out.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: The scores of the model.
        settings: The weights of the parts and the alert budget.
        threshold: The live threshold.

    Returns:
        The metrics of the combined score and of each part.
    """
    combined = replace_non_finite(scores.combine(settings.forest_weight, settings.deviation_weight))
    return ContenderMetrics(
        precision=round_metric(accuracy(truth, combined, threshold)),
        combined=compute_part_metrics(truth, combined, settings, threshold),
        hst=compute_part_metrics(truth, replace_non_finite(scores.hst), settings, threshold),
        sad=compute_part_metrics(truth, replace_non_finite(scores.sad), settings, threshold),
    )


def compute_part_metrics(
    truth: NDArray[np.int8],
    scores: NDArray[np.float64],
    settings: EvaluationSettings,
    threshold: float,
) -> PartMetrics:
    """Compute the metrics of one part of a model, or of its combined score.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). Higher means more anomalous. No NaN.
        settings: The alert budget.
        threshold: The live threshold.

    Returns:
        The metrics, rounded.
    """
    precision, recall = precision_recall_at_budget(truth, scores, settings.alert_budget)
    return PartMetrics(
        average_precision=round_metric(average_precision(truth, scores)),
        roc_auc=round_metric(roc_auc(truth, scores)),
        budget_precision=round_metric(precision),
        budget_recall=round_metric(recall),
        alert_rate=round_metric(alert_rate(scores, threshold)),
    )


def round_metric(value: float | None) -> float | None:
    """Return a metric rounded to the 6 decimals that the result document has room for."""
    return None if value is None else round(value, METRIC_DECIMALS)
