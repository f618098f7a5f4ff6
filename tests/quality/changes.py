"""Faults and changes of a stream: of its features, its labels and its events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from retraining_job.events.column_builder import COLUMN_FEATURES
from retraining_job.events.columns import Columns
from tests.quality.stream import NAMES

ROWS = 50_000
FEW = 12
"""Known frauds that are too few."""
BROKEN = 15_000
"""The newest events of a changed input."""


def keep_features(values: np.ndarray) -> np.ndarray:
    """Return features unchanged."""
    return values


def convert_to_cents(features: np.ndarray) -> np.ndarray:
    """Return amounts in another unit: the format of the feed has changed."""
    changed = features.copy()
    changed[:, NAMES.index("amount")] *= 100.0
    return changed


def shift_names(features: np.ndarray) -> np.ndarray:
    """Return each feature under the next name: columns were read in the wrong order."""
    return np.roll(features, 1, axis=1)


def mix_events(features: np.ndarray) -> np.ndarray:
    """Return each feature from another event: usual values, but no relation between features."""
    return np.random.default_rng(1).permuted(features, axis=0)


def keep_truth(truth: np.ndarray, _random: np.random.Generator) -> np.ndarray:
    """Return truth unchanged."""
    return truth


def shuffle_labels(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return labels of other events: labels were joined by the wrong key."""
    return random.permutation(truth)


def remove_labels(truth: np.ndarray, _random: np.random.Generator) -> np.ndarray:
    """Return no labels: none has arrived yet."""
    return np.full_like(truth, -1)


def keep_few_frauds(truth: np.ndarray, _random: np.random.Generator) -> np.ndarray:
    """Return the newest 12 frauds and all normal events as labelled."""
    known = np.where(truth == 1, -1, truth)
    known[np.flatnonzero(truth == 1)[-FEW:]] = 1
    return known


def label_all(truth: np.ndarray, _flagged: np.ndarray) -> np.ndarray:
    """Label every event."""
    return truth


def label_alerts(truth: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Label only the champion's alerts."""
    return np.where(flagged, truth, -1).astype(np.int8)


def assume_rest_normal(truth: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Label the champion's alerts, and all other events as normal without a check."""
    return np.where(flagged, truth, 0).astype(np.int8)


def label_alerts_and_sample(truth: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Label the champion's alerts and a random quarter of the other events."""
    sample = np.random.default_rng(len(truth)).random(len(truth)) < 0.25
    return np.where(flagged | sample, truth, -1).astype(np.int8)


def label_half(truth: np.ndarray, _flagged: np.ndarray) -> np.ndarray:
    """Label a random half of all events."""
    sample = np.random.default_rng(len(truth)).random(len(truth)) < 0.5
    return np.where(sample, truth, -1).astype(np.int8)


def keep_events(events: Columns) -> Columns:
    """Return events unchanged."""
    return events


def break_features_json(events: Columns) -> Columns:
    """Make `features_json` of the newest events unreadable, except features with a column."""
    features = events.features.copy(order="F")
    own = [place for place, name in enumerate(NAMES) if name not in COLUMN_FEATURES]
    features[-BROKEN:, own] = np.nan
    missing = np.array([0 if name in COLUMN_FEATURES else BROKEN for name in NAMES], np.int64)
    return replace(events, features=features, missing=missing, neutral=BROKEN, unreadable=BROKEN)


def remove_feature(events: Columns) -> Columns:
    """Remove one feature from the newest events: it was renamed."""
    features = events.features.copy(order="F")
    features[-BROKEN:, NAMES.index("tx_velocity_ratio")] = np.nan
    return replace(events, features=features)


def set_to_zero(events: Columns) -> Columns:
    """Set every feature of the newest events to 0: a feed has lost its source."""
    features = events.features.copy(order="F")
    features[-BROKEN:] = 0.0
    return replace(events, features=features)


def add_rhythm(events: Columns) -> Columns:
    """Thin out two features.

    One is in half of the events by day and in a tenth by night. The other becomes rarer over time.
    """
    features = events.features.copy(order="F")
    random = np.random.default_rng(len(features))
    hours = events.times.astype("datetime64[h]").astype(int) % 24
    by_day = np.where((hours >= 8) & (hours < 20), 0.5, 0.1)
    rarer = np.linspace(1.0, 0.7, ROWS)[: len(features)]
    for name, share in (("location_match", by_day), ("tx_velocity_ratio", rarer)):
        features[random.random(len(features)) > share, NAMES.index(name)] = np.nan
    return replace(events, features=features)


def delay_labels(events: Columns) -> Columns:
    """Remove the labels of the newest 2,000 events, and of every second of the 3,000 before."""
    truth = events.truth.copy()
    truth[-2_000:] = -1
    truth[-5_000:-2_000:2] = -1
    return replace(events, truth=truth)


def add_feature(events: Columns) -> Columns:
    """Add a feature to the newest events only: it is new."""
    values = np.random.default_rng(1).random(len(events.features))
    features = np.column_stack([events.features, values])
    features[:-BROKEN, -1] = np.nan
    none = np.zeros(len(NAMES) + 1, np.int64)
    names = (*NAMES, "zz_new")
    counts: dict[str, Any] = {"missing": none, "unusable": none, "texts": none}
    return replace(events, names=names, features=np.asfortranarray(features), **counts)


def remove_feature_of_some(events: Columns) -> Columns:
    """Remove one feature from a tenth of the newest events: one of many senders is outdated."""
    features = events.features.copy(order="F")
    outdated = np.random.default_rng(1).random(BROKEN) < 0.1
    features[-BROKEN:, NAMES.index("tx_velocity_ratio")][outdated] = np.nan
    return replace(events, features=features)
