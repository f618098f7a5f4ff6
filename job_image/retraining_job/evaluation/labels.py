"""Detect labels that follow the champion's alerts. Such labels cannot evaluate a challenger.

If only alerts are checked, an anomaly that the champion misses never gets a label. A challenger
that finds it gains nothing, and its alerts that nobody has checked do not count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.evaluation.evidence import LabelCoverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELLED_SHARE = 0.2
"""The share of events without an alert that need a label. With less, each label represents more
than five events, and average precision on the labelled events is that of a different mix of events.
"""

NORMAL_QUANTILE = 1.6449
"""The quantile of the standard normal distribution at 95 %, for a one-sided bound."""

FEW_ALERTS_SHARE = 0.2
"""If the champion raises an alert for a larger share of events, it may miss no anomaly at all."""

LEAST_ANOMALIES = 10
"""With fewer anomalies among the alerts, their decrease towards the threshold is unknown."""

LEAST_MISSED = 3.0
"""If at least this many missed anomalies are expected, zero of them indicates unchecked labels. By
chance, zero would have a probability of at most 5 % (Poisson distribution)."""


def compute_label_coverage(
    truth: NDArray[np.int8], scores: NDArray[np.float64], threshold: float
) -> LabelCoverage:
    """Count labels among the events with an alert of the champion, and among the others.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). The combined scores of the champion.
        threshold: The live threshold. A score above it is an alert.

    Returns:
        The counts.
    """
    flagged, labelled, anomaly = scores > threshold, truth >= 0, truth == 1
    alerts = np.flatnonzero(flagged & labelled)
    alerts = alerts[np.argsort(scores[alerts], kind="stable")]
    lower, upper = anomaly[alerts[: len(alerts) // 2]], anomaly[alerts[len(alerts) // 2 :]]
    return LabelCoverage(
        flagged=int(flagged.sum()),
        flagged_labelled=len(alerts),
        flagged_anomalies=int((flagged & anomaly).sum()),
        lower_anomalies=int(lower.sum()),
        upper_anomalies=int(upper.sum()),
        unflagged=int((~flagged).sum()),
        unflagged_labelled=int((~flagged & labelled).sum()),
        unflagged_anomalies=int((~flagged & anomaly).sum()),
    )


def has_labels_of_alerts_only(coverage: LabelCoverage) -> bool:
    """Return whether too few events without an alert have a label, and fewer than with an alert.

    Both must hold with 95 % confidence, so that a few events do not decide. Source: Wilson,
    Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    """
    if not coverage.flagged or not coverage.unflagged:
        return False
    highest = compute_wilson_bound(coverage.unflagged_labelled, coverage.unflagged, NORMAL_QUANTILE)
    lowest = compute_wilson_bound(coverage.flagged_labelled, coverage.flagged, -NORMAL_QUANTILE)
    return highest < LABELLED_SHARE and highest < lowest


def has_unchecked_normal_labels(coverage: LabelCoverage) -> bool:
    """Return whether events without an alert seem to be labelled as normal without a check.

    None of them is an anomaly, although the anomalies among the alerts do not decrease towards the
    threshold fast enough to expect none below it.
    """
    return (
        coverage.unflagged_anomalies == 0
        and coverage.flagged_anomalies >= LEAST_ANOMALIES
        and coverage.flagged <= FEW_ALERTS_SHARE * (coverage.flagged + coverage.unflagged)
        and estimate_missed_anomalies(coverage) >= LEAST_MISSED
    )


def estimate_missed_anomalies(coverage: LabelCoverage) -> float:
    """Estimate the number of labelled anomalies among the events without an alert.

    The lower-scored half of the alerts has fewer anomalies than the higher-scored half, by some
    ratio. The estimate assumes that below the threshold, each further group of as many events as
    half of the alerts has fewer anomalies by the same ratio. Real rankings have longer tails, so
    the estimate is low.
    """
    lower, upper = coverage.lower_anomalies, coverage.upper_anomalies
    if not coverage.flagged or not coverage.unflagged:
        return 0.0
    steps = 2.0 * coverage.unflagged / coverage.flagged
    tail = lower * (lower / (upper - lower)) if lower < upper else math.inf
    return min(tail, lower * steps) * coverage.unflagged_labelled / coverage.unflagged


def compute_wilson_bound(count: int, total: int, z: float) -> float:
    """Compute Wilson's confidence bound of a share.

    Args:
        count: The number of successes.
        total: The number of trials. At least 1.
        z: The normal quantile: positive for the upper bound, negative for the lower.

    Returns:
        The bound, in [0, 1].
    """
    share, square = count / total, z * z
    middle = share + square / (2 * total)
    half_width = z * math.sqrt(share * (1.0 - share) / total + square / (4.0 * total * total))
    return (middle + half_width) / (1.0 + square / total)
