"""Scaling of features to [0, 1], and back for thresholds.

Trees are grown in [0, 1]. Their thresholds are then converted to raw values, so that readers of the
model pass raw features to a plain river object.

The logarithm is computed as 1024 * (r ** (1/1024) - 1), which is log(r) to within 1 % (Box and Cox,
An Analysis of Transformations, 1964, with a power near 0). Therefore both directions need only
sums, products and square roots, which IEEE 754 rounds alike on every machine and which preserve
order: trees that are grown again elsewhere are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from retraining_job.model.tree_growth import Unscale

DOUBLINGS = 10
POWER = 2**DOUBLINGS


@dataclass(frozen=True)
class FeatureScaling:
    """The scaling of one feature to [0, 1]."""

    name: str
    kind: Literal["linear", "log", "none"]
    low: float
    """The raw value that is scaled to 0."""
    high: float
    """The raw value that is scaled to 1."""
    centre: float = 0.0
    """Of the logarithm: the raw value around which it is nearly linear."""
    unit: float = 1.0
    """Of the logarithm: the distance from the centre up to which it is nearly linear."""

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """Convert scaled thresholds to raw ones.

        Args:
            scaled: Any shape, float64 in [0, 1].

        Returns:
            Same shape, float64, in the same order, in [low, high] and therefore finite.
        """
        if self.kind == "none":
            return scaled
        if self.kind == "linear":
            return interpolate(self.low, self.high, scaled)
        bounds = compute_logarithm((np.array([self.low, self.high]) - self.centre) / self.unit)
        logarithm = interpolate(bounds[0], bounds[1], scaled)
        # A rounding error may exceed the largest float. The result is clipped.
        with np.errstate(over="ignore"):
            raw = self.centre + self.unit * compute_exponential(logarithm)
        return np.clip(raw, self.low, self.high)


def interpolate(low: float, high: float, scaled: np.ndarray) -> np.ndarray:
    """Interpolate linearly, without overflow even between the smallest and the largest float.

    Args:
        low: The value at 0.
        high: The value at 1.
        scaled: Any shape, float64 in [0, 1].

    Returns:
        Same shape, float64 in [low, high].
    """
    half = (high / 2.0 - low / 2.0) * scaled
    line: np.ndarray = np.clip(low + half + half, low, high)
    return line


def compute_logarithm(ratio: np.ndarray) -> np.ndarray:
    """Compute sign(r) * log(1 + |r|) to within 1 %; the formula is in the module's docstring.

    Args:
        ratio: Any shape, float64.

    Returns:
        Same shape, float64.
    """
    root = 1.0 + np.abs(ratio)
    for _ in range(DOUBLINGS):
        root = np.sqrt(root)
    logarithm: np.ndarray = np.copysign(POWER * (root - 1.0), ratio)
    return logarithm


def compute_exponential(logarithm: np.ndarray) -> np.ndarray:
    """Compute the inverse of `compute_logarithm`.

    Args:
        logarithm: Any shape, float64.

    Returns:
        Same shape, float64.
    """
    power = 1.0 + np.abs(logarithm) / POWER
    for _ in range(DOUBLINGS):
        power = power * power
    ratio: np.ndarray = np.copysign(power - 1.0, logarithm)
    return ratio


def build_unscale(scalings: Iterable[FeatureScaling]) -> Unscale:
    """Return the function from feature name and scaled thresholds to raw ones."""
    by_name = {scaling.name: scaling for scaling in scalings}
    return lambda name, scaled: by_name[name].unscale(scaled)
