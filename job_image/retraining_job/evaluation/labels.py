"""Whether labels follow the champion's alerts: then they cannot judge a challenger. Pure.

Where only alerts are looked at, an anomaly that the champion misses never gets its label. A
challenger that finds it gains nothing, and its alerts that nobody has looked at do not count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.evaluation.evidence import LabelCoverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELLED_SHARE = 0.2
"""Of the events without an alert, at least this share needs a label. With less, each of them stands
for more than five, and average precision on the labelled events is that of another mix of events.
"""

Z = 1.6449
"""The standard normal quantile of 95 %, one-sided."""

FEW_ALERTS_SHARE = 0.2
"""With an alert for a larger share of the events, a champion may well miss no anomaly at all."""

LEAST_ANOMALIES = 10
"""With fewer anomalies among the alerts, how they thin out towards the threshold is not known."""

LEAST_MISSED = 3.0
"""So many missed anomalies must be expected before none is a sign: by chance, none has a probability
of 5 % (Poisson)."""


def compute_label_coverage(
    truth: NDArray[np.int8], scores: NDArray[np.float64], threshold: float
) -> LabelCoverage:
    """Count labels among the events that the champion flagged, and among the others.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scores: Shape (n,). The champion's combined scores.
        threshold: The live one; a score above it is an alert.
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


def only_alerts(coverage: LabelCoverage) -> bool:
    """Return whether too few of the other events have a label, and fewer than of those with an alert.

    Both with 95 % confidence (Wilson's bounds, 1927), so that a few events do not decide.
    """
    if not coverage.flagged or not coverage.unflagged:
        return False
    highest = bound(coverage.unflagged_labelled, coverage.unflagged, Z)
    lowest = bound(coverage.flagged_labelled, coverage.flagged, -Z)
    return highest < LABELLED_SHARE and highest < lowest


def rest_as_normal(coverage: LabelCoverage) -> bool:
    """Return whether the others seem to be labelled as normal without anybody having looked.

    None of them is an anomaly, although the champion's alerts do not thin out so fast towards the
    threshold that none would be expected below it.
    """
    return (
        coverage.unflagged_anomalies == 0
        and coverage.flagged_anomalies >= LEAST_ANOMALIES
        and coverage.flagged <= FEW_ALERTS_SHARE * (coverage.flagged + coverage.unflagged)
        and expected_missed(coverage) >= LEAST_MISSED
    )


def expected_missed(coverage: LabelCoverage) -> float:
    """Compute how many labelled anomalies to expect among the events without an alert, cautiously.

    From the higher-scored half of the alerts to the lower-scored half, anomalies get fewer by some
    ratio. Below the threshold they are taken to go on getting fewer by that ratio, for each further
    half as many events. Rankings have longer tails than that, so more are missed in truth.
    """
    lower, upper = coverage.lower_anomalies, coverage.upper_anomalies
    if not coverage.flagged or not coverage.unflagged:
        return 0.0
    steps = 2.0 * coverage.unflagged / coverage.flagged
    thinning = lower * (lower / (upper - lower)) if lower < upper else math.inf
    return min(thinning, lower * steps) * coverage.unflagged_labelled / coverage.unflagged


def bound(count: int, of: int, z: float) -> float:
    """Compute Wilson's bound of a share: the upper one for a positive z, the lower for a negative."""
    share, square = count / of, z * z
    middle = share + square / (2 * of)
    reach = z * math.sqrt(share * (1.0 - share) / of + square / (4.0 * of * of))
    return (middle + reach) / (1.0 + square / of)
