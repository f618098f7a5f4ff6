"""Columns from single events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.events import column_builder
from retraining_job.events.column_builder import ColumnBuilder
from retraining_job.events.scored_event import convert_to_utc
from retraining_job.events.truth import parse_truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining_job.events.columns import Columns
    from retraining_job.events.scored_event import ScoredEvent


def build_columns(chunks: Iterable[Sequence[ScoredEvent]], rows: int) -> Columns:
    """Build columns of the newest events.

    Args:
        chunks: The events, in any order.
        rows: Most events in the columns.

    Returns:
        The columns.

    Raises:
        BadDataError: The events have too many different features.
    """
    builder = ColumnBuilder(rows)
    for chunk in chunks:
        for start in range(0, len(chunk), column_builder.CHUNK_LIMIT):
            add_events(builder, chunk[start : start + column_builder.CHUNK_LIMIT])
    return builder.build()


def add_events(builder: ColumnBuilder, events: Sequence[ScoredEvent]) -> None:
    """Add some events to a builder.

    Args:
        builder: The builder.
        events: At most `CHUNK_LIMIT` events.
    """
    builder.add(
        get_times(events),
        [parse_truth(event.anomaly_label) for event in events],
        [event.features_json for event in events],
        lambda index: (events[index].amount, events[index].amount_vs_user_avg),
    )


def get_times(events: Sequence[ScoredEvent]) -> NDArray[np.int64]:
    """Return the times of events in microseconds since 1970, UTC, shape (n,), int64."""
    times = [convert_to_utc(event.timestamp).replace(tzinfo=None) for event in events]
    return np.array(times, "datetime64[us]").view(np.int64)
