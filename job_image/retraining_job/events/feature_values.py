"""Values of features: the finite number that a value is, alone and as an array."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABSENT: Any = object()
"""Stands for a feature that an event does not have."""

MISSING, UNUSABLE = np.nan, np.inf
"""In an array: the event lacks the feature; the event has it, but not as a finite number."""

PYTHON_NUMBERS = {int, float, bool}


def parse_finite_number(value: object) -> float | None:
    """Return the finite number that a value is or, for a text, contains; None if there is none.

    Texts are read as Python's `float` reads them, as the old service did: white space around the
    number, an exponent, digits of any script and underscores between digits are accepted.
    Hexadecimal numbers and decimal commas are not.
    """
    if not isinstance(value, (int, float, Decimal, str)):
        return None
    try:
        number = float(value) + 0.0  # turns -0.0 into 0.0, because PostgreSQL's jsonb has no -0.0
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def parse_finite_or_zero(value: object) -> float:
    """Return the finite number that a value is or contains, as `parse_finite_number`; 0 if none."""
    return parse_finite_number(value) or 0.0


def encode_feature_value(value: object) -> float:
    """Return a value for an array: a finite number, `MISSING` or `UNUSABLE`."""
    if value is ABSENT:
        return MISSING
    number = parse_finite_number(value)
    return UNUSABLE if number is None else number


def encode_feature_values(values: list[Any]) -> NDArray[np.float64]:
    """Build the array of a feature's values.

    Args:
        values: One value for each event, `ABSENT` if the event lacks the feature.

    Returns:
        Shape (n,), float64: finite numbers, `MISSING` and `UNUSABLE`.
    """
    if PYTHON_NUMBERS.issuperset(map(type, values)):
        try:
            column = np.array(values, np.float64)
        except OverflowError:  # an integer beyond the largest float
            pass
        else:
            column[~np.isfinite(column)] = UNUSABLE
            column += 0.0  # turns -0.0 into 0.0, because PostgreSQL's jsonb has no -0.0
            return column
    return np.array([encode_feature_value(value) for value in values])
