"""Made-up events: normal events around one point, and anomalies far from it, all in [0, 1]."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)
SPREAD = 0.05
ANOMALY = 0.95
NAMES = ("a", "b", "c")


def made_up(
    count: int, centre: float, *, seed: int = 1, anomalies: float = 0.0, first: int = 0
) -> Iterator[tuple[object, ...]]:
    """Build rows of `scored_events`, oldest first.

    Args:
        count: How many rows.
        centre: The middle of the normal events in each feature.
        seed: The same seed gives the same rows.
        anomalies: The share of anomalies. They are labelled.
        first: The number of the first row, from which its time follows.

    Yields:
        The rows.
    """
    source = random.Random(seed)  # noqa: S311  # made-up data
    for number in range(first, first + count):
        label = int(source.random() < anomalies)
        middle = ANOMALY if label else centre
        features = {
            name: round(middle + source.uniform(-SPREAD, SPREAD), 6) for name in (*NAMES, "amount")
        }
        moment = START + timedelta(seconds=number)
        yield moment.isoformat(), features["amount"], 0.0, False, label, 1.0, json.dumps(features)
