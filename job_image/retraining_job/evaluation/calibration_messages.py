"""Sentences about a calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import Alerts, value_name

if TYPE_CHECKING:
    from retraining_job.evaluation.calibration_record import CalibrationRecord, CandidateRecord

SOURCES = {
    Alerts.KEEP_CHAMPION: "the champion's",
    Alerts.BUDGET: "the budget",
}
"""What the target of the alert rate is, by its source."""


def describe_calibration(record: CalibrationRecord | None, observed: float | None) -> list[str]:
    """Describe what a calibration has chosen, and what it won.

    Args:
        record: The record, or None if there was no calibration.
        observed: The challenger's alert rate on the hold-out.

    Returns:
        The sentences.
    """
    if record is None:
        return []
    choice, target = record.choice, SOURCES.get(Alerts(record.target_source), "the target")
    sentences = [
        f"The challenger was calibrated on the newest {record.rows:,} training rows: "
        f"{describe_choice(choice)}."
    ]
    if choice.average_precision is not None and record.plain_average_precision is not None:
        sentences.append(
            f"There its average precision is {choice.average_precision:.4f}; without the "
            f"calibration it would be {record.plain_average_precision:.4f}."
        )
    elif not record.labelled:
        sentences.append(
            "These rows have too few known anomalies to compare average precisions, so both parts "
            "got the same spread."
        )
    seen = "" if observed is None else f" On the hold-out it is {observed:.2%}."
    sentences.append(
        f"Its expected alert rate is {choice.alert_rate:.2%} ({target}: {record.target_rate:.2%})."
        f"{seen}"
    )
    if record.needed_threshold is not None:
        sentences.append(
            "No level reaches that alert rate at the live threshold. A threshold of "
            f"{record.needed_threshold:.4f} would ({value_name('threshold')})."
        )
    return sentences


def describe_choice(choice: CandidateRecord) -> str:
    """Describe a candidate as a phrase."""
    features = "feature" if choice.features == 1 else "features"
    return (
        f"{choice.n_trees} trees of height {choice.height} on {choice.features} {features}, a "
        f"window of {choice.window_size:,} events, and {describe_form(choice)}"
    )


def describe_form(choice: CandidateRecord) -> str:
    """Describe the form of the deviation score as a phrase."""
    spread = "its own spread" if choice.spread == 1.0 else f"1/{choice.spread:g} of its spread"
    if choice.direction == 0:
        return f"the deviation score with {spread}"
    side = "greater" if choice.direction > 0 else "smaller"
    return f"the deviation score of {side} values with {spread}, from a level of {choice.level:.3f}"
