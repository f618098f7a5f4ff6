"""Figures of scores against the truth: how well they rank, and how often they raise an alert. Pure; for `recommended`.

Truth is 1 for an anomaly, 0 for none, -1 where that is not known. Rows of unknown truth count where
alerts are counted, and nowhere else. No order among equal scores is assumed anywhere: it would be
the order of the rows by accident.
"""

from __future__ import annotations

import math

import numpy as np

from retraining_job.contract import ContenderMetrics, PartMetrics, Tunables
from retraining_job.evaluation.evidence import Curve, ScoreHistogram
from retraining_job.evaluation.scores import Scores, replace_non_finite

CURVE_POINTS = 200
HISTOGRAM_BINS = 40
DECIMALS = 6
"""Of the figures in the result document, which has to stay below 4 KiB."""


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float | None:
    """Sum precision over the steps of recall, one step for each distinct score; None without an anomaly.

    It is scikit-learn's `average_precision_score`: sum of (R_k - R_k-1) * P_k, without
    interpolation.
    """
    recall, precision = precision_recall(truth, scores)
    if len(recall) == 0:
        return None
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_recall(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give recall and precision where an alert is raised down to each distinct score, from the greatest on.

    Both are empty where no known anomaly is there.
    """
    known = truth >= 0
    positive, scores = truth[known] == 1, scores[known]
    if not positive.any():
        return np.empty(0), np.empty(0)
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    ends = np.append(np.flatnonzero(descending[1:] != descending[:-1]), len(order) - 1)
    true_alerts = np.cumsum(positive[order])[ends]
    return true_alerts / true_alerts[-1], true_alerts / (ends + 1)


def roc_auc(truth: np.ndarray, scores: np.ndarray) -> float | None:
    """Give the chance that an anomaly scores above another event, a tie counting half; None without both.

    By Mann and Whitney's rank sum (1947), ties taking their mean rank.
    """
    anomalies, others = scores[truth == 1], np.sort(scores[truth == 0])
    if len(anomalies) == 0 or len(others) == 0:
        return None
    below = np.searchsorted(others, anomalies, side="left")
    not_above = np.searchsorted(others, anomalies, side="right")
    return float((below + not_above).sum() / (2.0 * len(anomalies) * len(others)))


def precision_recall_at_budget(
    truth: np.ndarray, scores: np.ndarray, budget: float
) -> tuple[float | None, float | None]:
    """Give precision and recall where the highest `budget` of all rows, rounded up, raise an alert.

    Rows that are equal at the edge share what is left of the budget: each counts for the same part
        of an alert, which is what a fair draw among them gives on average. Precision is None where
        no row with a label raises one, recall where no anomaly is known.
    """
    alerts = min(len(scores), math.ceil(budget * len(scores)))
    if alerts == 0:
        return None, None
    edge = np.partition(scores, len(scores) - alerts)[len(scores) - alerts]
    above, level = scores > edge, scores == edge
    part = (alerts - above.sum()) / level.sum()

    def within(rows: np.ndarray) -> float:
        return float((rows & above).sum() + part * (rows & level).sum())

    hits, misses, anomalies = within(truth == 1), within(truth == 0), int((truth == 1).sum())
    return (hits / (hits + misses) if hits + misses else None), (
        hits / anomalies if anomalies else None
    )


def precision_recall_at_threshold(
    truth: np.ndarray, scores: np.ndarray, threshold: float
) -> tuple[float | None, float | None]:
    """Give precision and recall where a score above the threshold raises an alert; None where nothing is divided by."""
    alert = scores > threshold
    hits, known, anomalies = (
        int((alert & (truth == 1)).sum()),
        int((alert & (truth >= 0)).sum()),
        (truth == 1).sum(),
    )
    return (hits / known if known else None), (float(hits / anomalies) if anomalies else None)


def alert_rate(scores: np.ndarray, threshold: float) -> float:
    """Give the share of rows with a score above the threshold."""
    return float(np.mean(scores > threshold))


def accuracy(truth: np.ndarray, scores: np.ndarray, threshold: float) -> float | None:
    """Give the share of right predictions, the old service's "precision"; None where no truth is known."""
    known = truth >= 0
    return (
        float(np.mean((scores[known] > threshold) == (truth[known] == 1))) if known.any() else None
    )


def find_matching_threshold(scores: np.ndarray, alerts: int) -> float:
    """Give the threshold above which `alerts` rows score; fewer where equal scores stand at the edge."""
    descending = np.sort(scores)[::-1]
    if alerts >= len(descending):
        return float(np.nextafter(descending[-1], -np.inf))
    lower = descending[alerts]
    middle = lower if alerts == 0 else lower + (descending[alerts - 1] - lower) / 2.0
    return float(middle if alerts == 0 or middle < descending[alerts - 1] else lower)


def compute_metrics(
    truth: np.ndarray, scores: Scores, settings: Tunables, threshold: float
) -> ContenderMetrics:
    """Give all figures of one contender."""
    mixture = replace_non_finite(scores.combine(settings.forest_weight, settings.deviation_weight))
    return ContenderMetrics(
        precision=round_metric(accuracy(truth, mixture, threshold)),
        mixture=compute_part_metrics(truth, mixture, settings, threshold),
        hst=compute_part_metrics(truth, replace_non_finite(scores.hst), settings, threshold),
        sad=compute_part_metrics(truth, replace_non_finite(scores.sad), settings, threshold),
    )


def compute_part_metrics(
    truth: np.ndarray, scores: np.ndarray, settings: Tunables, threshold: float
) -> PartMetrics:
    """Give the figures of one part of a contender, or of the mixture."""
    precision, recall = precision_recall_at_budget(truth, scores, settings.alert_budget)
    return PartMetrics(
        average_precision=round_metric(average_precision(truth, scores)),
        roc_auc=round_metric(roc_auc(truth, scores)),
        budget_precision=round_metric(precision),
        budget_recall=round_metric(recall),
        alert_rate=round_metric(alert_rate(scores, threshold)),
    )


def round_metric(figure: float | None) -> float | None:
    """Cut a figure to what the result document has room for."""
    return None if figure is None else round(figure, DECIMALS)


def compute_curve(truth: np.ndarray, scores: np.ndarray) -> Curve | None:
    """Give precision over recall in at most `CURVE_POINTS` points; None without an anomaly.

    Only points at which recall grows are kept, the first and the last among them: between two of
        them precision only falls.
    """
    recall, precision = precision_recall(truth, scores)
    if len(recall) == 0:
        return None
    grows = np.flatnonzero(np.diff(recall, prepend=0.0))
    kept = grows[np.unique(np.linspace(0, len(grows) - 1, CURVE_POINTS).round().astype(int))]
    return Curve(
        recall=recall[kept].round(DECIMALS).tolist(),
        precision=precision[kept].round(DECIMALS).tolist(),
    )


def compute_histogram_edges(*scores: np.ndarray) -> np.ndarray:
    """Give edges of equal bins that all finite scores fall between."""
    together = np.concatenate(scores)
    together = together[np.isfinite(together)]
    return np.histogram_bin_edges(together, HISTOGRAM_BINS)


def compute_histogram(truth: np.ndarray, scores: np.ndarray, edges: np.ndarray) -> ScoreHistogram:
    """Count scores by class."""
    return ScoreHistogram(
        edges=edges.tolist(),
        anomalies=np.histogram(scores[truth == 1], edges)[0].tolist(),
        normal=np.histogram(scores[truth == 0], edges)[0].tolist(),
    )
