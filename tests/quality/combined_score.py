"""Evaluate the combined score by the shape of the forest and the weights of the parts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, stdev
from textwrap import fill
from typing import NamedTuple

import numpy as np

from retraining_job.contract import Preset, Tunables
from retraining_job.evaluation.metrics import alert_rate, average_precision
from retraining_job.presets import recommended
from tests.quality.changes import ROWS, keep_features
from tests.quality.trial import build_columns, prepare

SHAPES = ((25, 15), (25, 8), (25, 4), (100, 4), (100, 6))
"""Trees and their height."""
WEIGHTS = ((0.7, 0.3), (0.9, 0.1), (1.0, 0.0))
"""Of the forest and of the deviation score."""
FOREST_SEEDS = range(42, 48)


class CellMetrics(NamedTuple):
    """The metrics of one shape and one pair of weights, over the seeds of the forest."""

    average_precision: float
    deviation: float
    """The standard deviation of average precision between seeds."""
    alert_rate: float


class StreamMetrics(NamedTuple):
    """The metrics of one stream."""

    forest_spreads: list[float]
    """The spread of the forest scores, by shape."""
    deviation_spread: float
    cells: list[CellMetrics]
    """By shape and, within it, by weights."""


def evaluate_shapes(stream_seed: int) -> StreamMetrics:
    """Train forests of all shapes and seeds on a stream, and evaluate them with all weights."""
    events = build_columns(stream_seed, ROWS, keep_features)
    forest_spreads: list[float] = []
    cells: list[CellMetrics] = []
    deviation_spread = 0.0
    for trees, height in SHAPES:
        spreads: list[float] = []
        precisions: dict[tuple[float, float], list[float]] = {weights: [] for weights in WEIGHTS}
        rates: dict[tuple[float, float], list[float]] = {weights: [] for weights in WEIGHTS}
        for seed in FOREST_SEEDS:
            settings = Tunables(
                preset=Preset.RECOMMENDED,
                forest_trees=trees,
                forest_height=height,
                forest_seed=seed,
            )
            prepared = prepare(events, settings)
            scores = recommended.score_hold_out(
                recommended.train_model(prepared, settings), prepared
            )
            for weights in WEIGHTS:
                combined = scores.combine(*weights)
                precisions[weights].append(average_precision(prepared.held_truth, combined) or 0.0)
                rates[weights].append(alert_rate(combined, settings.threshold))
            spreads.append(compute_spread(scores.hst))
            deviation_spread = compute_spread(scores.sad)
        forest_spreads.append(median(spreads))
        for weights in WEIGHTS:
            same = precisions[weights]
            cells.append(CellMetrics(median(same), stdev(same), median(rates[weights])))
    return StreamMetrics(forest_spreads, deviation_spread, cells)


def compute_spread(scores: np.ndarray) -> float:
    """Compute the distance between the first and the last percentile."""
    low, high = np.quantile(scores, [0.01, 0.99])
    return float(high - low)


def describe_spreads(streams: Sequence[StreamMetrics]) -> str:
    """Return how far the scores of each part spread, in sentences."""
    spreads = zip(*(one.forest_spreads for one in streams), strict=True)
    forest = {shape: median(values) for shape, values in zip(SHAPES, spreads, strict=True)}
    deviation = median(one.deviation_spread for one in streams)
    return fill(
        "At height 15 the scores of the forest are close together: from the first to the last "
        f"percentile they spread over {forest[25, 15]:.2f} ({forest[25, 8]:.2f} at height 8, "
        f"{forest[25, 4]:.2f} at height 4). Those of the deviation score spread over "
        f"{deviation:.2f}.",
        120,
    )


def build_rows(streams: Sequence[StreamMetrics]) -> list[list[str]]:
    """Build the table of the combined scores: medians over the streams."""
    texts = []
    for cell in zip(*(one.cells for one in streams), strict=True):
        precision = median(one.average_precision for one in cell)
        deviation = median(one.deviation for one in cell)
        rate = median(one.alert_rate for one in cell)
        texts.append(f"{precision:.3f} ± {deviation:.3f}, alerts {rate:.1%}")
    titles = [f"`{forest:g} * hst + {deviation:g} * sad`" for forest, deviation in WEIGHTS]
    rows = [["trees", "height", *titles]]
    for place, (trees, height) in enumerate(SHAPES):
        start = place * len(WEIGHTS)
        rows.append([str(trees), str(height), *texts[start : start + len(WEIGHTS)]])
    return rows
