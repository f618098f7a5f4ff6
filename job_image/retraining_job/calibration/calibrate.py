"""Calibration of a challenger on its training rows, before the hold-out sees it.

Candidates are trained on the older training rows and compared on the newest ones. The chosen one is
trained again on all training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.calibration.choice import (
    Combination,
    ScoreTarget,
    ValidationRows,
    choose_candidate,
    choose_form,
    combine,
    select_eligible,
)
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.evaluation.calibration_record import CalibrationRecord, CandidateRecord
from retraining_job.evaluation.metrics import find_matching_threshold
from retraining_job.model.deviation_form import PLAIN, apply_form
from retraining_job.model.equivalence import check_equivalence
from retraining_job.model.forest import train_forest_on_matrix
from retraining_job.model.forest_shape import ForestShape, list_candidate_shapes
from retraining_job.model.model import Model, compute_forest_scores, select_columns
from retraining_job.model.scaling import FeatureScaling, build_unscale

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALIDATION_SHARE = 0.2
GREATEST_SHARE = 0.4
"""The share of the training rows that candidates are compared on, at first and at most."""
MINIMUM_ANOMALIES = 5
"""With fewer known anomalies among the validation rows, average precisions are not compared. A few
are worth more than none: the hold-out, which needs more, judges the choice."""


@dataclass(frozen=True)
class TrainingRows:
    """The training rows of a run, oldest first.

    Args:
        names: The features of the columns, sorted.
        features: Shape (n, n_names), float64, raw values. NaN where an event lacks the feature.
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        scalings: The scalings of the features that trees may split, sorted by name.
        is_scaled: Whether the scalings are written into the trees.
        seed: The seed of the trees.
        deviation: The deviation score with the moments of these rows.
        validation: The newest of these rows, on which candidates are compared.
        check: The equivalence check of the forest, which is done once.
    """

    names: tuple[str, ...]
    features: NDArray[np.float64]
    truth: NDArray[np.int8]
    scalings: tuple[FeatureScaling, ...]
    is_scaled: bool
    seed: int
    deviation: StandardAbsoluteDeviation
    validation: slice
    check: Callable[[], str | None] = field(default_factory=lambda: cache(check_equivalence))


@dataclass(frozen=True)
class CalibratedModel:
    """A challenger with the choice that led to it.

    Args:
        model: The model.
        scalings: The scalings that were written into its trees.
        record: What was chosen, from which candidates.
    """

    model: Model
    scalings: tuple[FeatureScaling, ...]
    record: CalibrationRecord


def select_validation(truth: NDArray[np.int8], *, gap: int, size: int, anomalies: int) -> slice:
    """Select the newest training rows, on which candidates are compared.

    They are as many as the hold-out, because the scores of later rows drift further.

    Args:
        truth: Shape (n,). The truth of the training rows, oldest first.
        gap: The number of rows between them and the rows that candidates are trained on.
        size: How many they are at first.
        anomalies: The number of known anomalies for which they are extended back in time, to at
            most `GREATEST_SHARE` of all rows.

    Returns:
        The rows. They are none if fewer than `gap` rows would be left for training.
    """
    rows = len(truth)
    count = min(size, int(VALIDATION_SHARE * rows))
    newest = np.flatnonzero(truth[::-1][: int(GREATEST_SHARE * rows)] == 1)[:anomalies]
    if len(newest):
        count = max(count, int(newest[-1]) + 1)
    return slice(rows - count, rows) if rows - count - gap >= gap else slice(rows, rows)


def calibrate(
    rows: TrainingRows,
    configured: ForestShape,
    target: ScoreTarget,
    *,
    champion: ForestShape | None,
) -> CalibratedModel | None:
    """Calibrate and train a challenger.

    Args:
        rows: The training rows.
        configured: The shape of the settings.
        target: The weights, the threshold and the alert rate.
        champion: The shape of the champion, which is preferred among equals.

    Returns:
        The challenger, or None if there are too few rows to hold any out.
    """
    window = configured.window_size
    validation = rows.validation
    if validation.start == validation.stop:
        return None
    learned = validation.start - window
    values = select_columns([rows.deviation.feature], rows.names, rows.features[validation])[:, 0]
    truth = rows.truth[validation]
    held_out = ValidationRows(truth, lambda form: apply_form(rows.deviation, form).scores(values))
    is_labelled = int((truth == 1).sum()) >= MINIMUM_ANOMALIES and bool((truth == 0).any())
    shapes = list_candidate_shapes(configured, rows.deviation.feature, learned)
    shapes.sort(key=lambda shape: shape != champion)  # stable: the champion's first
    scores = [score_validation(rows, shape, learned, validation, window) for shape in shapes]
    found = [choose_form(one, held_out, target, is_labelled=is_labelled) for one in scores]
    if is_labelled:
        chosen = choose_candidate(truth, found, target, seed=rows.seed)
    else:
        chosen = choose_unlabelled(shapes, found, target)
    plain = combine(scores[shapes.index(configured)], held_out, target, PLAIN)
    model = train_shape(rows, shapes[chosen], len(rows.truth), window)
    names = set(shapes[chosen].names)
    return CalibratedModel(
        Model(model.hst, apply_form(rows.deviation, found[chosen].form)),
        tuple(one for one in rows.scalings if one.name in names),
        CalibrationRecord(
            candidates=[
                describe_candidate(shape, one, is_labelled=is_labelled)
                for shape, one in zip(shapes, found, strict=True)
            ],
            chosen=chosen,
            rows=len(truth),
            labelled=is_labelled,
            target_rate=target.rate,
            target_source=target.source,
            plain_average_precision=plain.average_precision if is_labelled else None,
            plain_alert_rate=plain.alert_rate,
            needed_threshold=find_needed_threshold(found[chosen], target),
        ),
    )


def train_shape(rows: TrainingRows, shape: ForestShape, end: int, configured_window: int) -> Model:
    """Train a forest of a shape on the rows before an end.

    A forest's scores depend only on its last full window and the rows after it. With the configured
    window all rows are learned, as without a calibration. With another one, exactly its newest
    window is learned, so that no row is newer than the window that the scores come from.

    Args:
        rows: The training rows.
        shape: The shape.
        end: The number of rows to learn from.
        configured_window: The window of the settings.

    Returns:
        The forest, with the plain deviation score.
    """
    window = shape.window_size
    kept = 2 * window + end % window if window == configured_window else window
    scalings = [one for one in rows.scalings if one.name in shape.names]
    hst = train_forest_on_matrix(
        shape.names,
        select_columns(shape.names, rows.names, rows.features[max(0, end - kept) : end]),
        unscale=build_unscale(scalings) if rows.is_scaled else None,
        n_trees=shape.n_trees,
        height=shape.height,
        window_size=window,
        seed=rows.seed,
        check=rows.check,
    )
    return Model(hst, rows.deviation)


def score_validation(
    rows: TrainingRows, shape: ForestShape, learned: int, validation: slice, configured_window: int
) -> NDArray[np.float64]:
    """Train a candidate on the older rows and score the validation rows with it.

    Args:
        rows: The training rows.
        shape: The shape of the candidate.
        learned: The number of rows that it learns from.
        validation: The validation rows.
        configured_window: The window of the settings.

    Returns:
        Shape (n,), float64. The scores of the forest alone.
    """
    model = train_shape(rows, shape, learned, configured_window)
    return compute_forest_scores(model, rows.names, rows.features[validation])


def choose_unlabelled(
    shapes: Sequence[ForestShape], found: Sequence[Combination], target: ScoreTarget
) -> int:
    """Choose without labels.

    Args:
        shapes: The candidates. A forest of one feature is not chosen without labels.
        found: Their combinations.
        target: The alert rate.

    Returns:
        The index of the first eligible candidate.
    """
    order = [index for index, shape in enumerate(shapes) if len(shape.names) > 1] or [0]
    return order[select_eligible([found[index] for index in order], target)[0]]


def describe_candidate(
    shape: ForestShape, best: Combination, *, is_labelled: bool
) -> CandidateRecord:
    """Describe a candidate for the evidence.

    Args:
        shape: Its shape.
        best: Its best combination.
        is_labelled: Whether average precisions were compared.

    Returns:
        The record.
    """
    return CandidateRecord(
        n_trees=shape.n_trees,
        height=shape.height,
        window_size=shape.window_size,
        features=len(shape.names),
        average_precision=best.average_precision if is_labelled else None,
        alert_rate=best.alert_rate,
        reached=best.has_target_rate,
        spread=best.form.spread,
        direction=best.form.direction,
        level=best.form.level,
    )


def find_needed_threshold(chosen: Combination, target: ScoreTarget) -> float | None:
    """Find the threshold that would give the target rate.

    Args:
        chosen: The chosen combination.
        target: The target rate.

    Returns:
        The threshold, or None if the live threshold gives that rate.
    """
    if chosen.has_target_rate:
        return None
    return find_matching_threshold(chosen.scores, round(target.rate * len(chosen.scores)))
