"""Pickles as a live service with plain river writes them, and as somebody forges them."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

from river.anomaly import HalfSpaceTrees

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.model import Model

NAMES = tuple("abcdef")
Change = Callable[[dict[str, Any]], object]


def train_foreign_model(
    events: int = 55, *, n_trees: int = 3, height: int = 4, window_size: int = 20
) -> Model:
    """Train a model event by event, as the live service does."""
    generator = random.Random(3)  # noqa: S311
    forest = HalfSpaceTrees(n_trees=n_trees, height=height, window_size=window_size, seed=42)
    deviation = StandardAbsoluteDeviation("a")
    for _ in range(events):
        features = {name: generator.random() for name in NAMES}
        forest.learn_one(features)
        deviation.learn_one(features)
    return Model(forest, deviation)


def write_foreign_pickle(model: Model, protocol: int = 4) -> bytes:
    """Write a model as the live service does."""
    return pickle.dumps({"hst": model.hst, "sad": model.sad}, protocol=protocol)


def forge(change: Change, **parameters: int) -> bytes:
    """Write the pickle of a model that somebody has changed."""
    model = train_foreign_model(**parameters)
    content: dict[str, Any] = {"hst": model.hst, "sad": model.sad}
    change(content)
    return pickle.dumps(content)
