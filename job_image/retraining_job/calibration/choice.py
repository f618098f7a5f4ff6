"""The choice of forest and deviation score whose combination ranks best and keeps the alert rate.

Everything is measured on a slice of the training rows that the forests have not learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from retraining_job.evaluation.bootstrap import resample_precisions
from retraining_job.evaluation.metrics import alert_rate, average_precision
from retraining_job.evaluation.scores import Scores, replace_non_finite
from retraining_job.model.deviation_form import PLAIN, DeviationForm

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPREADS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""By what the spread of the deviation score may be divided. After the last it hardly matters."""
LEVEL_STEPS = 5
"""How often a level is corrected at most."""
MIDDLE = 0.5
"""A level at which most deviation scores are between 0 and 1, so that they show their slope."""
TOLERANCE = 0.1
"""A level is reached if the alert rate differs from its target by at most this share of it."""
CONFIDENCE = 0.95
DRAWS = 200
"""Resamples for whether a candidate is worse than the best one."""


class ValidationRows(NamedTuple):
    """The rows that a calibration is chosen on.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        compute_deviation: Computes the deviation scores of the rows, shape (n,), for a form.
    """

    truth: NDArray[np.int8]
    compute_deviation: Callable[[DeviationForm], NDArray[np.float64]]


class ScoreTarget(NamedTuple):
    """What the combined score is chosen for.

    Args:
        forest_weight: The weight of the forest in the combined score.
        deviation_weight: The weight of the deviation score.
        threshold: The live threshold.
        rate: The share of events above the threshold, from 0 to 1.
        source: Where that share comes from, for the record.
        factor: If no candidate gives that share, it may be greater or smaller by this factor.
    """

    forest_weight: float
    deviation_weight: float
    threshold: float
    rate: float
    source: str
    factor: float


class Combination(NamedTuple):
    """A forest with one form of the deviation score.

    Args:
        form: The form of the deviation score.
        scores: Shape (n,). The combined scores of the validation rows.
        average_precision: Of these scores; 0 if there is no known anomaly.
        alert_rate: The share of rows above the threshold.
        has_target_rate: Whether that share is the target's, within the tolerance.
    """

    form: DeviationForm
    scores: NDArray[np.float64]
    average_precision: float
    alert_rate: float
    has_target_rate: bool


def choose_form(
    forest: NDArray[np.float64], rows: ValidationRows, target: ScoreTarget, *, is_labelled: bool
) -> Combination:
    """Choose the form of the deviation score for one forest.

    Args:
        forest: Shape (n,). The forest's scores of the validation rows.
        rows: The validation rows.
        target: What the combined score is chosen for.
        is_labelled: Whether there are enough known anomalies to compare average precisions. If not,
            both parts get the same spread.

    Returns:
        The combination with the greatest average precision among the eligible ones.
    """
    spreads = SPREADS if is_labelled else (balance_spread(forest, rows, target),)
    found = [
        combine(forest, rows, target, form)
        for spread in spreads
        for form in list_forms(forest, rows, target, spread)
    ]
    eligible = [found[index] for index in select_eligible(found, target)]
    return max(eligible, key=lambda one: one.average_precision)


def select_eligible(combinations: Sequence[Combination], target: ScoreTarget) -> list[int]:
    """Select the combinations whose alert rate allows that they are chosen.

    Args:
        combinations: The combinations.
        target: The alert rate.

    Returns:
        The indices of those that reach it. If none does: of those that miss it by at most the
        factor. If there are none of these either: the index of the one that comes closest.
    """
    rates = [one.alert_rate for one in combinations]
    reached = [index for index, one in enumerate(combinations) if one.has_target_rate]
    near = [
        index
        for index, rate in enumerate(rates)
        if target.rate <= target.factor * rate and rate <= target.factor * target.rate
    ]
    nearest = min(range(len(rates)), key=lambda index: abs(rates[index] - target.rate))
    return reached or near or [nearest]


def choose_candidate(
    truth: NDArray[np.int8],
    combinations: Sequence[Combination],
    target: ScoreTarget,
    *,
    seed: int,
) -> int:
    """Choose among the best combinations of all candidates.

    Args:
        truth: Shape (n,). The truth of the validation rows.
        combinations: One for each candidate, in the order of preference.
        target: The alert rate.
        seed: The seed of the resamples.

    Returns:
        The index of the first eligible candidate that is not worse than the best one with
        confidence.
    """
    eligible = select_eligible(combinations, target)
    best = max(eligible, key=lambda index: combinations[index].average_precision)
    if not ((truth == 1).any() and (truth == 0).any()):
        return eligible[0]
    for index in eligible:
        if index == best:
            break
        pair = [combinations[best].scores, combinations[index].scores]
        precisions = resample_precisions(truth, pair, seed=seed, draws=DRAWS)
        if np.quantile(precisions[0] - precisions[1], 1.0 - CONFIDENCE) <= 0.0:
            return index
    return best


def combine(
    forest: NDArray[np.float64], rows: ValidationRows, target: ScoreTarget, form: DeviationForm
) -> Combination:
    """Measure a forest with one form of the deviation score.

    Args:
        forest: Shape (n,). The forest's scores of the validation rows.
        rows: The validation rows.
        target: What the combined score is chosen for.
        form: The form.

    Returns:
        The combination.
    """
    scores = compute_combined(forest, rows, target, form)
    rate = alert_rate(scores, target.threshold)
    one_row = 1.0 / max(1, len(scores))
    return Combination(
        form=form,
        scores=scores,
        average_precision=average_precision(rows.truth, scores) or 0.0,
        alert_rate=rate,
        has_target_rate=abs(rate - target.rate) <= max(TOLERANCE * target.rate, one_row),
    )


def compute_combined(
    forest: NDArray[np.float64], rows: ValidationRows, target: ScoreTarget, form: DeviationForm
) -> NDArray[np.float64]:
    """Compute the combined scores of the validation rows, as the live service would.

    Args:
        forest: Shape (n,). The forest's scores.
        rows: The validation rows.
        target: The weights of the parts.
        form: The form of the deviation score.

    Returns:
        Shape (n,), float64. Finite.
    """
    scores = Scores(forest, rows.compute_deviation(form))
    return replace_non_finite(scores.combine(target.forest_weight, target.deviation_weight))


def list_forms(
    forest: NDArray[np.float64], rows: ValidationRows, target: ScoreTarget, spread: float
) -> Iterator[DeviationForm]:
    """List the forms with one spread, each with the level that comes closest to the alert rate.

    Args:
        forest: Shape (n,). The forest's scores of the validation rows.
        rows: The validation rows.
        target: The alert rate.
        spread: What the spread is divided by.

    Yields:
        One form for each direction.
    """
    yield PLAIN._replace(spread=spread)
    for direction in (1, -1):
        yield find_level(forest, rows, target, DeviationForm(spread, direction))


def find_level(
    forest: NDArray[np.float64], rows: ValidationRows, target: ScoreTarget, form: DeviationForm
) -> DeviationForm:
    """Find the level with which the alert rate comes closest to its target.

    Near the mean the deviation score is the level plus a slope. So each row needs a certain level
    to reach the threshold, and the level is a quantile of these. Where values are so far from the
    mean that this does not hold, the level is corrected by what it gives.

    Args:
        forest: Shape (n,). The forest's scores of the validation rows.
        rows: The validation rows.
        target: The alert rate.
        form: Spread and direction.

    Returns:
        The form with that level.
    """
    if target.deviation_weight <= 0.0:
        return form
    middle = rows.compute_deviation(form._replace(level=MIDDLE)) - MIDDLE
    missing = (target.threshold - target.forest_weight * forest) / target.deviation_weight - middle
    best, smallest, wanted = form, np.inf, target.rate
    for _ in range(LEVEL_STEPS):
        level = float(np.quantile(missing, min(max(wanted, 0.0), 1.0)))
        tried = form._replace(level=min(max(level, 0.0), 1.0))
        scores = compute_combined(forest, rows, target, tried)
        error = target.rate - alert_rate(scores, target.threshold)
        if abs(error) < smallest:
            best, smallest = tried, abs(error)
        if abs(error) <= TOLERANCE / 4.0 * target.rate:
            break
        wanted += error
    return best


def balance_spread(forest: NDArray[np.float64], rows: ValidationRows, target: ScoreTarget) -> float:
    """Compute by what the deviation score is divided so that both parts spread equally.

    Args:
        forest: Shape (n,). The forest's scores of the validation rows.
        rows: The validation rows.
        target: The weights of the parts.

    Returns:
        The divisor, at least 1. The spread is the distance between the first and the last
        percentile.
    """
    deviation = target.deviation_weight * compute_spread(rows.compute_deviation(PLAIN))
    own = target.forest_weight * compute_spread(forest)
    return max(1.0, deviation / own) if own > 0.0 else SPREADS[-1]


def compute_spread(scores: NDArray[np.float64]) -> float:
    """Compute the distance between the first and the last percentile of scores, shape (n,)."""
    low, high = np.quantile(scores, [0.01, 0.99])
    return float(high - low)
