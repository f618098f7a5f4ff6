"""The truth about an event, from its label."""

from __future__ import annotations

from retraining_job.events.feature_values import parse_finite_number, parse_finite_or_zero

TRUE_WORDS = {"t", "true", "yes"}
FALSE_WORDS = {"f", "false", "no"}

ANOMALY, NORMAL, UNKNOWN = 1, 0, -1
"""The truth about an event, as columns hold it."""


def parse_truth(label: object) -> int:
    """Return the truth that a label states: `ANOMALY`, `NORMAL` or `UNKNOWN`."""
    if isinstance(label, str):
        word = label.strip().lower()
        if word in TRUE_WORDS:
            return ANOMALY
        if word in FALSE_WORDS:
            return NORMAL
        try:
            label = float(word)
        except ValueError:
            return UNKNOWN
    number = parse_finite_number(label)
    return UNKNOWN if number is None else int(number != 0)


def is_anomaly(label: object) -> bool:
    """Return whether the `reference` preset counts a label as an anomaly.

    Null and any other label that is not a number counts as normal.
    """
    if isinstance(label, str):
        return label.strip().lower() in {"1", "1.0", *TRUE_WORDS}
    return parse_finite_or_zero(label) != 0.0


def has_truth(label: object) -> bool:
    """Return whether a label states a truth. The `recommended` preset ignores the others."""
    return parse_truth(label) != UNKNOWN
