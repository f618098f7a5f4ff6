"""What a reader of the evidence should know besides: metrics over time, and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retraining_job.contract import EvaluationSettings, value_name
from retraining_job.evaluation import metrics
from retraining_job.evaluation.evidence import Contender, Period
from retraining_job.evaluation.split import compute_window

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Split
    from retraining_job.presets.recommended import SplitEvents

PERIODS = 10
NAMES_LIMIT = 10
"""A note names no more features than this."""


def compute_periods(
    times: np.ndarray,
    truth: np.ndarray,
    challenger: np.ndarray,
    champion: np.ndarray | None,
    thresholds: tuple[float, float],
) -> list[Period]:
    """Compute the metrics over time, for about ten periods of the hold-out with equally many rows.

    Args:
        times: Shape (n,), datetime64 in UTC. The times of the hold-out events, oldest first.
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        challenger: Shape (n,). The challenger's combined scores.
        champion: Shape (n,). The champion's, or None if there is none.
        thresholds: The challenger's threshold and the champion's.

    Returns:
        The periods, oldest first.
    """
    periods = []
    for indices in np.array_split(np.arange(len(truth)), min(PERIODS, len(truth))):
        rows = slice(int(indices[0]), int(indices[-1]) + 1)
        window = compute_window(times[rows])
        period = Period(
            first=window.first,
            last=window.last,
            rows=window.rows,
            anomalies=int((truth[rows] == 1).sum()),
            challenger_average_precision=metrics.average_precision(truth[rows], challenger[rows]),
            challenger_alert_rate=metrics.alert_rate(challenger[rows], thresholds[0]),
        )
        if champion is not None:
            of_champion = {
                "champion_average_precision": metrics.average_precision(
                    truth[rows], champion[rows]
                ),
                "champion_alert_rate": metrics.alert_rate(champion[rows], thresholds[1]),
            }
            period = period.model_copy(update=of_champion)
        periods.append(period)
    return periods


def describe_events(prepared: SplitEvents, split: Split, settings: EvaluationSettings) -> list[str]:
    """Describe what is unusual about the events.

    Args:
        prepared: The split events.
        split: The split, as the evidence records it.
        settings: The feature of the deviation score.

    Returns:
        One sentence for each note.
    """
    columns, notes = prepared.columns, []
    left_out = [feature for feature in prepared.features if feature.scaling == "left out"]
    if left_out:
        named = left_out[:NAMES_LIMIT]
        names = ", ".join(f"{feature.name} ({feature.note})" for feature in named)
        count = len(left_out) - NAMES_LIMIT
        more = f" and {count} more" if count > 0 else ""
        notes.append(f"The trees do not use {names}{more}.")
    if settings.deviation_feature not in columns.names:
        notes.append(
            f"No event has the feature {settings.deviation_feature}, so the deviation score is 0 "
            f"for all of them ({value_name('deviation_feature')})."
        )
    if columns.neutral:
        notes.append(
            f"{columns.neutral:,} of {len(columns.truth):,} events were read without features."
        )
    if split.unlabelled:
        notes.append(
            f"{split.unlabelled:,} of {split.hold_out.rows:,} hold-out events have no label and "
            "do not count in the metrics."
        )
    return notes


def describe_models(
    challenger: Contender, champion: Contender | None, threshold: float
) -> list[str]:
    """Describe what is unusual about the models.

    Args:
        challenger: The challenger with its metrics.
        champion: The champion with its metrics, or None if there is none.
        threshold: The live threshold.

    Returns:
        One sentence for each note.
    """
    notes = []
    if champion is not None and champion.trained is None:
        notes.append(
            "It is not known which events the champion was trained on. If it has learned some of "
            "the hold-out, its metrics are too good."
        )
    if champion is not None and champion.problem:
        notes.append(f"The champion's own scores are unusable: {champion.problem}.")
    rate = challenger.combined.alert_rate
    if rate in {0.0, 1.0}:
        share = "all" if rate else "none"
        notes.append(
            f"At the threshold of {threshold:g} the challenger raises an alert for {share} of the "
            "hold-out events."
        )
    return notes


def describe_published_threshold(published: float | None, live: float) -> list[str]:
    """Describe the threshold that goes live with the challenger.

    Args:
        published: The threshold, or None if the live one stays.
        live: The live threshold.

    Returns:
        One sentence, or none.
    """
    if published is None:
        return []
    return [
        f"The challenger is evaluated at a threshold of {published:.6g}. Its promotion writes it "
        f"to {value_name('threshold_key')}, where {live:.6g} is live now."
    ]
