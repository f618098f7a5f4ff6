"""Measure how far a model drifts in a reader that goes on learning what it scores."""

from __future__ import annotations

from copy import deepcopy
from statistics import median
from typing import NamedTuple

import numpy as np

from retraining_job.contract import Calibration, Preset, Tunables
from retraining_job.evaluation.metrics import alert_rate, average_precision
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.model import (
    Model,
    compute_deviation_scores,
    compute_forest_scores,
    select_columns,
)
from tests.quality.generators import FRAUD_SHARE, ROWS, Visible, build_visible
from tests.quality.trial import prepare, train

LEARNED = (0, 250, 2_500, 25_000)
"""Events that the reader has learned: 0, 1, 10 and 100 windows of the old service."""
SCORED_ROWS = 10_000
"""Events that it then scores."""


class ReaderState(NamedTuple):
    """A model after a reader has learned some events.

    Args:
        average_precision: Of the combined score.
        alert_rate: The share of events above the threshold.
    """

    average_precision: float
    alert_rate: float


def run_reader(seed: int) -> dict[Calibration, list[ReaderState]]:
    """Train a model with and without a calibration, and let a reader learn with each.

    Args:
        seed: The seed of the stream.

    Returns:
        The states after each number of learned events.
    """
    events = build_visible(Visible.BOTH, seed, ROWS + LEARNED[-1] + SCORED_ROWS)
    scored = slice(ROWS + LEARNED[-1], None)
    found = {}
    for calibration in Calibration:
        settings = Tunables(
            preset=Preset.RECOMMENDED, calibration=calibration, alert_budget=FRAUD_SHARE
        )
        model, _ = train(prepare(build_visible(Visible.BOTH, seed), settings), settings, None)
        states = []
        for count in LEARNED:
            learner = learn(model, events.names, events.features[ROWS : ROWS + count])
            held = events.features[scored]
            scores = settings.forest_weight * compute_forest_scores(learner, events.names, held)
            scores += settings.deviation_weight * compute_deviation_scores(
                learner, events.names, held
            )
            states.append(
                ReaderState(
                    average_precision(events.truth[scored], scores) or 0.0,
                    alert_rate(scores, settings.threshold),
                )
            )
        found[calibration] = states
    return found


def learn(model: Model, names: tuple[str, ...], features: np.ndarray) -> Model:
    """Return a copy of a model that has learned events, as river's `learn_one` on each.

    Args:
        model: The model, with an array forest.
        names: The features of the columns.
        features: Shape (n, n_names), raw values.

    Returns:
        The copy.

    Raises:
        TypeError: The forest is river's own.
    """
    learner = deepcopy(model)
    if not isinstance(learner.hst, ArrayForest):
        raise TypeError("only an array forest learns many events at once")
    if len(features):
        learner.hst.learn_many(select_columns(learner.hst.names, names, features))
        values = select_columns([learner.sad.feature], names, features)[:, 0]
        learner.sad.learn_values(values.tolist())
    return learner


def build_reader_rows(runs: list[dict[Calibration, list[ReaderState]]]) -> list[list[str]]:
    """Build the table: medians over the streams."""
    rows = [["model", *(f"{count:,} events learned" for count in LEARNED)]]
    titles = {Calibration.AUTO: "calibrated", Calibration.NONE: "not calibrated"}
    for calibration, title in titles.items():
        cells = []
        for place in range(len(LEARNED)):
            states = [run[calibration][place] for run in runs]
            precision = median(state.average_precision for state in states)
            rate = median(state.alert_rate for state in states)
            cells.append(f"{precision:.3f}, alerts {rate:.2%}")
        rows.append([title, *cells])
    return rows
