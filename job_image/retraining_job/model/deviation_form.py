"""Forms of the deviation score that change its spread and level, but not its formula.

The reader computes `min(|x - mean| / (3 * std), 1)`. A greater `std` narrows the scores. A mean
that is moved away from the values adds a constant level, and the score then rises in one direction
only. The class and its attributes stay as readers know them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from retraining_job.deviation import StandardAbsoluteDeviation

FROZEN_COUNT = 1_000_000_000
"""The count of a calibrated score. A reader that goes on learning thus hardly changes it."""


class DeviationForm(NamedTuple):
    """How the published deviation score differs from one with plain moments.

    Args:
        spread: Divides the spread of the scores; 1 leaves it as it is.
        direction: 0 if values on both sides of the mean score higher, 1 if only greater values do,
            -1 if only smaller values do.
        level: The score of the mean, from 0 to 1. It is 0 if the direction is 0.
    """

    spread: float = 1.0
    direction: int = 0
    level: float = 0.0


PLAIN = DeviationForm()


def apply_form(
    learned: StandardAbsoluteDeviation, form: DeviationForm
) -> StandardAbsoluteDeviation:
    """Build the deviation score that is published.

    Args:
        learned: The score with the moments of the training rows.
        form: The form.

    Returns:
        A score of the same class. It is the learned one if the form is plain, or if the learned one
        cannot be scaled because all its values are equal.
    """
    if form == PLAIN or learned.count < 2 or learned.squares <= 0.0:
        return learned
    deviation = math.sqrt(learned.squares / (learned.count - 1)) * form.spread
    formed = StandardAbsoluteDeviation(learned.feature)
    formed.count = FROZEN_COUNT
    formed.mean = learned.mean - form.direction * form.level * 3.0 * deviation
    formed.squares = deviation * deviation * (FROZEN_COUNT - 1)
    return formed
