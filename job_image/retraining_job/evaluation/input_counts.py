"""Measure the shape of the input from the events of a run: from columns, or from tallies."""

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
    LastingLoss,
    compute_feature_shape,
    find_lasting_loss,
    split_into_periods,
)
from retraining_job.events.features import Features, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining_job.events.columns import Columns
    from retraining_job.events.reading import ReadingFacts


def measure_columns(columns: Columns, newest_start: int) -> InputMeasurement:
    """Measure the shape of events in columns.

    Args:
        columns: At least one event.
        newest_start: The first row of the hold-out.

    Returns:
        The shape, with the lasting losses within the events.
    """
    rows = len(columns.truth)
    periods = split_into_periods(rows, newest_start)
    sizes = [period.stop - period.start for period in periods]
    features: dict[str, FeatureShape] = {}
    lasting_losses: dict[str, LastingLoss] = {}
    for index, name in enumerate(columns.names[:FEATURES_LIMIT]):
        if len(name) > NAME_LIMIT_CHARACTERS:
            continue
        values = columns.features[:, index]
        usable = np.isfinite(values)
        counts = [int(np.count_nonzero(usable[period])) for period in periods]
        varies = has_different_values(values[newest_start:])
        features[name] = compute_feature_shape(counts, sizes, varies=varies)
        if loss := find_lasting_loss(counts, sizes):
            lasting_losses[name] = loss
    shape = build_input_shape(columns.facts, sizes[-1], features)
    return InputMeasurement(shape=shape, lasting_losses=lasting_losses)


def measure_tallies(
    tallies: Sequence[Tally], newest: Sequence[Features], facts: ReadingFacts
) -> InputMeasurement:
    """Measure the shape of events that were counted for each period.

    Args:
        tallies: One for each period, oldest first. The last is of the newest events.
        newest: The features of the newest events.
        facts: The counts of all events. At least one event.

    Returns:
        The shape, with the lasting losses within the events.
    """
    sizes = [tally.rows for tally in tallies]
    features: dict[str, FeatureShape] = {}
    lasting_losses: dict[str, LastingLoss] = {}
    names = [feature.name for feature in facts.features]
    recorded = [name for name in names if len(name) <= NAME_LIMIT_CHARACTERS]
    for name in recorded[:FEATURES_LIMIT]:
        counts = [tally.present[name] - tally.unusable[name] for tally in tallies]
        values = {event[name] for event in newest if name in event}
        features[name] = compute_feature_shape(counts, sizes, varies=len(values) > 1)
        if loss := find_lasting_loss(counts, sizes):
            lasting_losses[name] = loss
    shape = build_input_shape(facts, sizes[-1], features)
    return InputMeasurement(shape=shape, lasting_losses=lasting_losses)


def build_input_shape(
    facts: ReadingFacts, newest: int, features: dict[str, FeatureShape]
) -> InputShape:
    """Build the shape of the input from counts.

    Args:
        facts: The counts of all events. At least one event.
        newest: The number of the newest events.
        features: The shape of each feature.

    Returns:
        The shape.
    """

    def share(count: int) -> float:
        return round(count / facts.rows, DECIMALS)

    usable = sum(feature.present - feature.unusable for feature in facts.features)
    texts = sum(feature.texts for feature in facts.features)
    return InputShape(
        events=facts.rows,
        newest=newest,
        own=share(facts.rows - facts.neutral),
        unreadable=share(facts.unreadable),
        decoded=share(facts.decoded),
        texts=round(texts / usable, DECIMALS) if usable else 0.0,
        labelled=share(facts.labelled),
        features=features,
    )


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    total = Tally()
    for tally in tallies:
        total.rows += tally.rows
        total.labelled += tally.labelled
        total.neutral += tally.neutral
        total.kinds += tally.kinds
        total.present += tally.present
        total.texts += tally.texts
        total.unusable += tally.unusable
    return total


def has_different_values(values: NDArray[np.float64]) -> bool:
    """Return whether values of shape (n,) contain two different numbers. NaN is ignored."""
    return bool(np.fmin.reduce(values) < np.fmax.reduce(values))
