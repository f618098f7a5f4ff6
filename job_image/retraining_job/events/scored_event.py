"""One scored event, and the time window of several."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.contract import Window

if TYPE_CHECKING:
    from collections.abc import Sequence


class ScoredEvent(NamedTuple):
    """One scored event, with the values of its row. Only the time is sure to be present."""

    timestamp: datetime
    """A time without a zone is in UTC."""
    amount: object
    anomaly_score: object
    is_anomaly: object
    anomaly_label: object
    """The truth: what the event turned out to be."""
    amount_vs_user_avg: object
    features_json: str | None


def get_event_window(events: Sequence[ScoredEvent]) -> Window | None:
    """Return the time window of events, newest first, or None if there are none."""
    if not events:
        return None
    return Window(
        first=convert_to_utc(events[-1].timestamp),
        last=convert_to_utc(events[0].timestamp),
        rows=len(events),
    )


def convert_to_utc(time: datetime) -> datetime:
    """Return a time in UTC. A time without a zone is in UTC already."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
