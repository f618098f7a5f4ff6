"""How each feature is brought to [0, 1], chosen from the training rows alone, and the way back for thresholds. Pure.

Trees are laid out in [0, 1]; the way back is written into their thresholds, so whoever reads the
model feeds raw features to a plain river object. Used by `recommended` to train, and by `state` to
grow the same trees again.

The rule (`Auto`). The distance of a value is taken from the feature's median, and the unit is the
distance that nine in ten of the values not at the median keep within. A feature has a heavy tail
where its farthest value lies more than five units away: uniform values reach 1.1, normal ones 2.6,
exponential ones 6, log-normal amounts 25. Such a feature is scaled by a symmetric logarithm of the
distance, so that neither its tail nor the bulk is squeezed into one split; the others linearly,
from the least to the greatest value. Both take negative values as they are. Measured with the
forest alone at 25/15/250, average precision over several seeds: all linear .63 on the made-up
stream of tests/quality and .964 on Shuttle; this rule .71 and .972. A logarithm of the distance
from the least value, as is usual for amounts, puts the bulk of two-sided features (Shuttle has
three) at the far end, and gained nothing there (.966).

The logarithm is taken as 1024 * (r ** (1/1024) - 1), which is log(r) to one in a hundred (Box and
Cox, An Analysis of Transformations, 1964, with a power near 0). So both ways need only sums,
products and square roots, which IEEE 754 rounds alike on every machine and which keep order: trees
grown again elsewhere are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from retraining_job.contract import Scaling
from retraining_job.evaluation.evidence import FeatureRecord

HEAVY_TAIL = 5.0
"""A farthest value more units from the median than this makes a heavy tail."""

PRESENT_SHARE = 0.5
"""A feature that is a finite number in fewer of the training rows than this is left out."""

DOUBLINGS = 10
POWER = 2**DOUBLINGS

Unscale = Callable[[str, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FeatureScaling:
    """One feature's way to [0, 1]: `low` and `high` are the raw values that stand at 0 and at 1."""

    name: str
    kind: Literal["linear", "log", "none"]
    low: float
    high: float
    centre: float = 0.0
    """Of the logarithm: the value whose neighbourhood it leaves as it is."""
    unit: float = 1.0
    """Of the logarithm: where it begins to bend, as a distance from the centre."""

    def unscaled(self, scaled: np.ndarray) -> np.ndarray:
        """Give the raw thresholds of scaled ones in [0, 1], any shape: in the same order, finite, in [low, high]."""
        if self.kind == "none":
            return scaled
        if self.kind == "linear":
            return between(self.low, self.high, scaled)
        bounds = logarithm((np.array([self.low, self.high]) - self.centre) / self.unit)
        bent = between(bounds[0], bounds[1], scaled)
        with np.errstate(over="ignore"):  # past the largest float by a rounding error, and clipped
            raw = self.centre + self.unit * exponential(bent)
        return np.clip(raw, self.low, self.high)


def between(low: float, high: float, scaled: np.ndarray) -> np.ndarray:
    """Go from low to high by a straight line, without overflow where they are the largest floats there are."""
    half = (high / 2.0 - low / 2.0) * scaled
    line: np.ndarray = np.clip(low + half + half, low, high)
    return line


def logarithm(ratio: np.ndarray) -> np.ndarray:
    """Give sign(r) * log(1 + |r|), to one in a hundred."""
    root = 1.0 + np.abs(ratio)
    for _ in range(DOUBLINGS):
        root = np.sqrt(root)
    bent: np.ndarray = np.copysign(POWER * (root - 1.0), ratio)
    return bent


def exponential(bent: np.ndarray) -> np.ndarray:
    """Undo `logarithm`."""
    power = 1.0 + np.abs(bent) / POWER
    for _ in range(DOUBLINGS):
        power = power * power
    ratio: np.ndarray = np.copysign(power - 1.0, bent)
    return ratio


def unscale_of(scalings: Iterable[FeatureScaling]) -> Unscale:
    """Give the way from scaled to raw thresholds by feature name, as the forest asks for it."""
    by_name = {scaling.name: scaling for scaling in scalings}
    return lambda name, scaled: by_name[name].unscaled(scaled)


def scaling_of(name: str, values: np.ndarray, mode: Scaling) -> FeatureScaling:
    """Choose one feature's scaling by its finite training values, which are not all the same."""
    low, high = float(values.min()), float(values.max())
    if mode is Scaling.NONE:
        return FeatureScaling(name, "none", 0.0, 1.0)
    linear = FeatureScaling(name, "linear", low, high)
    if mode is Scaling.LINEAR:
        return linear
    centre = float(np.quantile(values, 0.5, method="lower"))
    with np.errstate(over="ignore"):
        distance = np.abs(values - centre)
    unit = float(np.quantile(distance[distance > 0.0], 0.9, method="higher"))
    with np.errstate(over="ignore", invalid="ignore"):
        reach = float(distance.max()) / unit
    if HEAVY_TAIL < reach < np.inf:
        return FeatureScaling(name, "log", low, high, centre, unit)
    return linear


def scaled_features(
    names: Iterable[str], training: np.ndarray, unusable: Iterable[int], mode: Scaling
) -> tuple[list[FeatureScaling], list[FeatureRecord]]:
    """Choose every feature's scaling, or to leave it out of the trees.

    Args:
        names: the features' names, one for each column.
        training: (n, names) training rows, n > 0; NaN where a feature is missing or no finite
            number.
        unusable: for each feature, the rows of all read in which it was there, but no finite
            number.
        mode: the setting.

    Returns:
        The scalings of the features that trees are laid over, in the names' order, and a record of
        every feature.
    """
    scalings, records = [], []
    for column, (name, bad) in enumerate(zip(names, unusable, strict=True)):
        values = training[:, column]
        values = values[np.isfinite(values)]
        absent = len(training) - len(values)
        if note := unfit(values, len(training)):
            records.append(
                FeatureRecord(
                    name=name, scaling="left out", missing=absent, unusable=bad, note=note
                )
            )
            continue
        scaling = scaling_of(name, values, mode)
        scalings.append(scaling)
        records.append(
            FeatureRecord(
                name=name,
                scaling=scaling.kind,
                low=scaling.low,
                high=scaling.high,
                missing=absent,
                unusable=bad,
                note=f"absent from {absent:,} training rows, which take the heavier branch there"
                if absent
                else "",
            )
        )
    return scalings, records


def unfit(values: np.ndarray, rows: int) -> str:
    """Say why trees cannot use a feature; empty where they can."""
    if len(values) == 0:
        return f"it is a finite number in none of the {rows:,} training rows"
    if len(values) < PRESENT_SHARE * rows:
        return f"it is a finite number in only {len(values):,} of the {rows:,} training rows; half of them are needed"
    if values.min() == values.max():
        return f"it is {values[0]:g} in every training row that has it"
    return ""
