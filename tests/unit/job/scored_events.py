"""Scored events, and columns that are built from them."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from retraining_job.events.columns import Columns
from retraining_job.events.event_columns import build_columns
from retraining_job.events.scored_event import ScoredEvent

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(
    number: int = 0,
    features: object = None,
    label: object = 0,
    *,
    amount: object = None,
    average: object = None,
) -> ScoredEvent:
    text = features if isinstance(features, str) else json.dumps(features)
    return ScoredEvent(START + timedelta(seconds=number), amount, None, None, label, average, text)


def in_chunks(events: Sequence[ScoredEvent], size: int = 2) -> Iterator[Sequence[ScoredEvent]]:
    return (events[start : start + size] for start in range(0, len(events), size))


def of(events: Sequence[ScoredEvent], rows: int = 1_000, size: int = 2) -> Columns:
    return build_columns(in_chunks(events, size), rows)
