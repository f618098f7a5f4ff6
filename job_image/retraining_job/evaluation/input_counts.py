"""The shape of the input, counted from a run's events: in columns, or as the `reference` preset reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.evaluation.input_shape import (
    DECIMALS,
    FEATURES_LIMIT,
    NAME_LIMIT_CHARACTERS,
    FeatureShape,
    InputMeasurement,
    InputShape,
    Step,
    feature_shape,
    find_lasting_fall,
    split_into_periods,
)
from retraining_job.events.features import Features, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining_job.events.columns import Columns
    from retraining_job.events.reading import ReadingFacts


def measure_columns(columns: Columns, newest_start: int) -> InputMeasurement:
    """Count the shape of events in columns.

    Args:
        columns: At least one event.
        newest_start: The first row of the newest events, which judge.
    """
    rows = len(columns.truth)
    parts = split_into_periods(rows, newest_start)
    sizes = [part.stop - part.start for part in parts]
    features: dict[str, FeatureShape] = {}
    steps: dict[str, Step] = {}
    for place, name in list(enumerate(columns.names))[:FEATURES_LIMIT]:
        if len(name) > NAME_LIMIT_CHARACTERS:
            continue
        values = columns.features[:, place]
        usable = np.isfinite(values)
        counts = [int(np.count_nonzero(usable[part])) for part in parts]
        features[name] = feature_shape(counts, sizes, varies=varies(values[newest_start:]))
        if step := find_lasting_fall(counts, sizes):
            steps[name] = step
    return InputMeasurement(shape=input_shape(columns.facts, sizes[-1], features), steps=steps)


def measure_tallies(
    tallies: Sequence[Tally], newest: Sequence[Features], facts: ReadingFacts
) -> InputMeasurement:
    """Compute the shape of events that were counted stretch by stretch.

    Args:
        tallies: One for each stretch of time, oldest first; the last is of the newest events.
        newest: The features of the newest events.
        facts: The counts of all of them; at least one event.
    """
    sizes = [tally.rows for tally in tallies]
    features: dict[str, FeatureShape] = {}
    steps: dict[str, Step] = {}
    for name in [one.name for one in facts.features if len(one.name) <= NAME_LIMIT_CHARACTERS][
        :FEATURES_LIMIT
    ]:
        counts = [tally.present[name] - tally.unusable[name] for tally in tallies]
        values = {one[name] for one in newest if name in one}
        features[name] = feature_shape(counts, sizes, varies=len(values) > 1)
        if step := find_lasting_fall(counts, sizes):
            steps[name] = step
    return InputMeasurement(shape=input_shape(facts, sizes[-1], features), steps=steps)


def input_shape(facts: ReadingFacts, newest: int, features: dict[str, FeatureShape]) -> InputShape:
    """Build the shape from the counts of all events, at least one."""

    def share(count: int) -> float:
        return round(count / facts.rows, DECIMALS)

    usable = sum(one.present - one.unusable for one in facts.features)
    return InputShape(
        events=facts.rows,
        newest=newest,
        own=share(facts.rows - facts.neutral),
        unreadable=share(facts.unreadable),
        decoded=share(facts.decoded),
        texts=round(sum(one.texts for one in facts.features) / usable, DECIMALS) if usable else 0.0,
        labelled=share(facts.labelled),
        features=features,
    )


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    whole = Tally()
    for tally in tallies:
        whole.rows += tally.rows
        whole.labelled += tally.labelled
        whole.neutral += tally.neutral
        whole.kinds += tally.kinds
        whole.present += tally.present
        whole.texts += tally.texts
        whole.unusable += tally.unusable
    return whole


def varies(values: NDArray[np.float64]) -> bool:
    """Return whether values, shape (n,), hold two different numbers; NaN counts as none."""
    return bool(np.fmin.reduce(values) < np.fmax.reduce(values))
