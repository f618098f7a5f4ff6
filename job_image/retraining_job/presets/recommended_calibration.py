"""Calibration of the `recommended` preset: what the challenger takes over from the champion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from retraining_job.calibration.calibrate import (
    CalibratedModel,
    TrainingRows,
    calibrate,
    select_validation,
)
from retraining_job.calibration.choice import ScoreTarget
from retraining_job.contract import Alerts, Scaling, Tunables
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.evaluation.metrics import alert_rate
from retraining_job.evaluation.scores import Scores
from retraining_job.model.forest_shape import ForestShape, get_shape
from retraining_job.model.model import Model, compute_deviation_scores, compute_forest_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining_job.evaluation.calibration_record import CalibrationRecord
    from retraining_job.presets.recommended import SplitEvents


class FormerModel(NamedTuple):
    """What a calibration takes over from the champion.

    Args:
        shape: The shape of its forest.
        scores: Shape (n,), float64. Its combined scores of the validation rows.
    """

    shape: ForestShape
    scores: NDArray[np.float64]


def describe_former(champion: Model, prepared: SplitEvents, settings: Tunables) -> FormerModel:
    """Score the validation rows with the champion.

    Args:
        champion: The champion's model.
        prepared: The split events.
        settings: The window, the number of anomalies and the weights of the parts.

    Returns:
        Its shape and scores.
    """
    columns = prepared.columns
    held = columns.features[find_validation(prepared, settings)]
    scores = Scores(
        compute_forest_scores(champion, columns.names, held),
        compute_deviation_scores(champion, columns.names, held),
    )
    combined = scores.combine(settings.forest_weight, settings.deviation_weight)
    return FormerModel(get_shape(champion), combined)


def calibrate_challenger(
    prepared: SplitEvents, settings: Tunables, threshold: float, former: FormerModel | None
) -> CalibratedModel | None:
    """Calibrate and train a challenger on the training rows.

    Args:
        prepared: The split events.
        settings: The configured shape, the weights and the target of the alert rate.
        threshold: The live threshold.
        former: What is taken over from the champion, or None if there is none.

    Returns:
        The challenger, or None if there are too few rows for a calibration.
    """
    columns, training = prepared.columns, prepared.parts.training
    rows = TrainingRows(
        names=tuple(columns.names),
        features=columns.features[training],
        truth=columns.truth[training],
        scalings=prepared.scalings,
        is_scaled=settings.scaling is not Scaling.NONE,
        seed=settings.forest_seed,
        deviation=learn_deviation(prepared, settings.deviation_feature),
        validation=find_validation(prepared, settings),
    )
    keeps = settings.alerts is Alerts.KEEP_CHAMPION and former is not None and len(former.scores)
    rate = alert_rate(former.scores, threshold) if keeps and former else settings.alert_budget
    return calibrate(
        rows,
        ForestShape(
            settings.forest_trees,
            settings.forest_height,
            settings.forest_window,
            tuple(scaling.name for scaling in prepared.scalings),
        ),
        ScoreTarget(
            settings.forest_weight,
            settings.deviation_weight,
            threshold,
            rate,
            Alerts.KEEP_CHAMPION if keeps else Alerts.BUDGET,
            math.inf if settings.publish_threshold else settings.alert_rate_factor,
        ),
        champion=former.shape if former else None,
    )


def find_published_threshold(record: CalibrationRecord | None, settings: Tunables) -> float | None:
    """Find the threshold that goes live with a challenger.

    Args:
        record: What it was chosen from, or None if it is not calibrated.
        settings: Whether a promotion publishes a threshold.

    Returns:
        The threshold, or None if the live one stays.
    """
    return record.needed_threshold if record and settings.publish_threshold else None


def find_validation(prepared: SplitEvents, settings: Tunables) -> slice:
    """Find the training rows on which candidates are compared.

    Args:
        prepared: The split events.
        settings: The sizes of gap and hold-out, and the number of anomalies.

    Returns:
        The rows, counted from the oldest event.
    """
    return select_validation(
        prepared.columns.truth[prepared.parts.training],
        gap=settings.forest_window,
        size=settings.hold_out_size,
        anomalies=settings.hold_out_anomalies,
    )


def learn_deviation(prepared: SplitEvents, feature: str) -> StandardAbsoluteDeviation:
    """Learn the moments of a feature on the training rows.

    Args:
        prepared: The split events.
        feature: The feature of the deviation score.

    Returns:
        The deviation score. It has learned nothing if the events lack the feature.
    """
    sad = StandardAbsoluteDeviation(feature)
    if feature in prepared.columns.names:
        place = list(prepared.columns.names).index(feature)
        sad.learn_values(prepared.columns.features[prepared.parts.training, place].tolist())
    return sad
