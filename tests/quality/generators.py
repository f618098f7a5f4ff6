"""Synthetic streams whose frauds only one part of the model can see, both, or none.

They are stationary, have about 1.2 % frauds, and no single feature of the forest's separates them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from retraining_job.events.columns import Columns

FRAUD_SHARE = 0.012
ROWS = 20_000
NAMES = ("amount", "device", "distance", "hour", "merchant", "risk", "velocity")
SECONDS = 20


class Visible(StrEnum):
    """Which part of the model can see the frauds."""

    DEVIATION = "deviation score"
    """Only the amount of a fraud is unusual."""
    FOREST = "forest"
    """All but the amount: each fraud is unusual in two of three features and the device."""
    BOTH = "both"
    NONE = "none"
    """Frauds are like all other events."""


def build_visible(visible: Visible, seed: int, rows: int = ROWS) -> Columns:
    """Build a stream as the trainer reads it.

    Args:
        visible: Which part can see the frauds.
        seed: The seed.
        rows: The number of events.

    Returns:
        The events.
    """
    random = np.random.default_rng(seed)
    fraud = random.random(rows) < FRAUD_SHARE
    amount = random.lognormal(3.2, 0.9, rows)
    distance = random.beta(2.0, 5.0, rows)
    velocity = random.lognormal(0.0, 0.5, rows)
    hour = random.integers(0, 24, rows)
    device = (random.random(rows) < 0.9).astype(float)
    risk = random.beta(2.0, 8.0, rows)
    merchant = random.integers(0, 5, rows)
    if visible in {Visible.DEVIATION, Visible.BOTH}:
        amount = np.where(fraud, random.lognormal(6.6, 0.5, rows), amount)
    if visible in {Visible.FOREST, Visible.BOTH}:
        usual = random.integers(0, 3, rows)
        velocity = np.where(fraud & (usual != 0), random.lognormal(2.2, 0.4, rows), velocity)
        distance = np.where(fraud & (usual != 1), random.beta(9.0, 1.5, rows), distance)
        risk = np.where(fraud & (usual != 2), random.beta(8.0, 2.0, rows), risk)
        device = np.where(fraud, random.random(rows) < 0.2, device)
    features = [amount, device, distance, hour, merchant, risk, velocity]
    return build_events(NAMES, np.column_stack(features), fraud)


def build_events(names: Sequence[str], features: np.ndarray, truth: np.ndarray) -> Columns:
    """Build events from a complete matrix.

    Args:
        names: The features, sorted.
        features: Shape (n, n_names), oldest first.
        truth: Shape (n,). Whether each is an anomaly.

    Returns:
        The events, 20 seconds apart.
    """
    none = np.zeros(len(names), np.int64)
    start = np.datetime64("2026-01-01", "us")
    return Columns(
        times=start + np.arange(len(truth)) * np.timedelta64(SECONDS, "s"),
        names=tuple(names),
        features=np.asfortranarray(features.astype(np.float64)),
        truth=truth.astype(np.int8),
        missing=none,
        unusable=none,
        neutral=0,
        checksum="",
        unreadable=0,
        decoded=0,
        texts=none,
        left_out=0,
    )
