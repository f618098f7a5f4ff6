"""The real data set Shuttle, which river's package contains, as rows of `scored_events`.

UCI's Statlog (Shuttle) set as prepared by ODDS: 49,097 readings, 3,511 of them anomalies.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "timestamp", "amount", "anomaly_score", "is_anomaly", "anomaly_label", "amount_vs_user_avg",
    "features_json",
)  # fmt: skip
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)


def readings() -> Iterator[tuple[dict[str, float], int]]:
    """Read the features and the label of each reading, oldest first.

    Raises:
        ModuleNotFoundError: river is not installed.
    """
    spec = importlib.util.find_spec("river")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("river, whose package contains the data set, is not installed")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "shuttle.csv.gz"
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            label = int(row.pop("anomaly"))
            yield {name: float(value) for name, value in row.items()}, label


def rows() -> Iterator[tuple[object, ...]]:
    """Build the rows of `scored_events`, one every 30 seconds, oldest first."""
    for number, (features, label) in enumerate(readings()):
        moment = START + number * STEP
        yield moment.isoformat(), features["f1"], 0.0, False, label, 1.0, json.dumps(features)
