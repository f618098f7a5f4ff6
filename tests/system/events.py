"""Made-up events: one cloud of normal ones, and anomalies far from it.

Small, repeatable, and inside [0, 1].
"""

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
    """Give rows of `scored_events`, oldest first.

    Args:
        count: how many.
        centre: where the normal events lie in each feature.
        seed: the same seed gives the same rows.
        anomalies: the share of anomalies, which lie elsewhere and are labelled.
        first: the number of the first row; its time follows from it.
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
