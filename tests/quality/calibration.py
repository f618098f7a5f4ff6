"""Measure what a calibration wins: combined score and alerts, before and after, on the hold-out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt
from statistics import NormalDist, mean, median
from typing import NamedTuple

import numpy as np

from retraining_job.contract import Preset, Tunables
from retraining_job.evaluation.bootstrap import resample_precisions
from retraining_job.evaluation.metrics import alert_rate, average_precision
from retraining_job.events.columns import Columns
from retraining_job.model.state import write_state
from retraining_job.presets import recommended
from retraining_job.presets.recommended_calibration import calibrate_challenger
from tests.quality import changes
from tests.quality.generators import Visible, build_visible
from tests.quality.real_sets import SETS, build_real
from tests.quality.shuttle import read_columns
from tests.quality.trial import build_columns, prepare

SHUTTLE_ROWS = 49_000
FIRST_SEED = 9_001
"""Seeds that no choice of this repository was made on."""
CONFIDENCE = 0.95
"""With which a calibrated model is worse than an uncalibrated one."""
DRAWS = 1_000
GOOD_RATIO = 0.95
RATE_TOLERANCE = 0.25


class Source(NamedTuple):
    """One kind of events.

    Args:
        name: Its name.
        build: Builds the events of one seed.
        feature: The feature of the deviation score.
        rate: The target of the alert rate; None for the share of anomalies.
    """

    name: str
    build: Callable[[int], Columns]
    feature: str
    rate: float | None = None


class CalibrationTrial(NamedTuple):
    """The hold-out of one seed, without and with a calibration.

    Args:
        before: The average precision of the combined score without one.
        after: With one.
        worse: Whether it is worse with one, with confidence.
        best_part: The greater average precision of the two parts without one.
        rate_before: The alert rate at the threshold without one.
        rate_after: With one.
        target: The target of the alert rate.
        reachable: The probability that sampling alone leaves the alert rate near the target.
        state_bytes: The size of the calibrated model's state.
    """

    before: float
    after: float
    worse: bool
    best_part: float
    rate_before: float
    rate_after: float
    target: float
    reachable: float
    state_bytes: int


def build_drifting(seed: int) -> Columns:
    """Build the drifting stream of tests/quality/stream.py."""
    return build_columns(seed, changes.ROWS, changes.keep_features)


def build_shuttle(_seed: int) -> Columns:
    """Build Shuttle, whose order is fixed. The seed is that of the forests."""
    return read_columns(SHUTTLE_ROWS)


SOURCES = (
    Source("drifting stream", build_drifting, "amount", 0.015),
    *(Source(f"seen by: {kind}", partial(build_visible, kind), "amount") for kind in Visible),
    Source("Shuttle", build_shuttle, "1", 0.07),
    *(Source(name, partial(build_real, name), "f00") for name in SETS),
)


def run_calibration(source: Source, seed: int) -> CalibrationTrial:
    """Train a challenger without and with a calibration, and score the hold-out with both.

    Args:
        source: The kind of events.
        seed: The seed of the events and of the forests.

    Returns:
        What was measured.
    """
    events = source.build(seed)
    target = source.rate or float((events.truth == 1).mean())
    feature = source.feature if source.feature in events.names else events.names[0]
    settings = Tunables(
        preset=Preset.RECOMMENDED,
        deviation_feature=feature,
        alert_budget=target,
        forest_seed=seed,
    )
    prepared = prepare(events, settings)
    truth = prepared.held_truth
    plain = recommended.score_hold_out(recommended.train_model(prepared, settings), prepared)
    before = plain.combine(settings.forest_weight, settings.deviation_weight)
    found = calibrate_challenger(prepared, settings, settings.threshold, None)
    if found is None:
        raise ValueError(f"{source.name} has too few events for a calibration.")
    scores = recommended.score_hold_out(found.model, prepared)
    after = scores.combine(settings.forest_weight, settings.deviation_weight)
    precisions = resample_precisions(truth, [before, after], seed=seed, draws=DRAWS)
    lost = float(np.quantile(precisions[0] - precisions[1], 1.0 - CONFIDENCE))
    parts = [average_precision(truth, part) or 0.0 for part in (plain.hst, plain.sad)]
    return CalibrationTrial(
        before=average_precision(truth, before) or 0.0,
        after=average_precision(truth, after) or 0.0,
        worse=lost > 0.0,
        best_part=max(parts),
        rate_before=alert_rate(before, settings.threshold),
        rate_after=alert_rate(after, settings.threshold),
        target=target,
        reachable=compute_reachable(target, found.record.rows, len(truth)),
        state_bytes=len(write_state(found.model, found.scalings) or ""),
    )


def compute_reachable(rate: float, chosen_on: int, seen_on: int) -> float:
    """Compute how often an alert rate is near its target if the events do not drift at all.

    The level is chosen on a sample and observed on another one, so that both counts vary.

    Args:
        rate: The target.
        chosen_on: The number of validation rows.
        seen_on: The number of rows of the hold-out.

    Returns:
        The probability, by the normal approximation.
    """
    deviation = sqrt(rate * (1.0 - rate) * (1.0 / chosen_on + 1.0 / seen_on))
    return 2.0 * NormalDist().cdf(RATE_TOLERANCE * rate / deviation) - 1.0


def build_calibration_rows(
    results: Sequence[tuple[Source, list[CalibrationTrial]]],
) -> list[list[str]]:
    """Build the table: one row for each source."""
    rows = [
        [
            "events",
            "best part",
            "combined before",
            "combined after",
            "at least 0.95 of the best part",
            "worse than before",
            "alerts before",
            "alerts after",
            "target",
            "within a quarter of it",
            "by sampling alone",
        ]
    ]
    for source, trials in results:
        good = mean(one.after >= GOOD_RATIO * one.best_part for one in trials)
        worse = mean(one.worse for one in trials)
        near = mean(
            abs(one.rate_after - one.target) <= RATE_TOLERANCE * one.target for one in trials
        )
        rows.append(
            [
                source.name,
                f"{median(one.best_part for one in trials):.3f}",
                f"{median(one.before for one in trials):.3f}",
                f"{median(one.after for one in trials):.3f}",
                f"{good:.0%}",
                f"{worse:.0%}",
                f"{median(one.rate_before for one in trials):.1%}",
                f"{median(one.rate_after for one in trials):.2%}",
                f"{median(one.target for one in trials):.2%}",
                f"{near:.0%}",
                f"{mean(one.reachable for one in trials):.0%}",
            ]
        )
    return rows
