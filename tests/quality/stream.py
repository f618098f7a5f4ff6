"""A synthetic stream of card payments with drift, in the form of `scored_events`.

Each of 2,000 users has a usual amount. The amount of a payment is a multiple of it. Both are
log-normal, so amounts and the features that depend on them (`amount_vs_user_avg`, `amount_zscore`)
have heavy tails, as has `tx_velocity_ratio`. The others are flags, shares and the calendar. About
1.5 % of the payments are frauds: larger, in quicker succession, more often at night, far from home,
on an unknown device. Frauds overlap with normal payments: no single feature separates them.

The stream drifts from position 0 to 1: usual amounts grow threefold, payments come in quicker
succession, unknown devices become more common, and frauds change from single large amounts to many
medium ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=20)
USERS = 2_000
FRAUD_SHARE = 0.015

NAMES = (
    "amount", "amount_vs_user_avg", "amount_zscore", "day_of_week", "device_known", "hour_of_day",
    "is_high_risk_merchant", "is_odd_hour", "location_match", "risk_score_raw", "tx_velocity_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """Events, oldest first.

    Args:
        features: Shape (n, 11), float64, in the order of `NAMES`.
        truth: Shape (n,), int8. 1 for a fraud, 0 for a normal payment.
        times: Shape (n,), datetime64[us], UTC.
    """

    features: np.ndarray
    truth: np.ndarray
    times: np.ndarray


def build_stream(seed: int, rows: int) -> Stream:
    """Build a stream.

    Args:
        seed: The seed.
        rows: The number of events.

    Returns:
        The stream. The same arguments always give the same stream.
    """
    random = np.random.default_rng(seed)
    position = np.linspace(0.0, 1.0, rows)
    fraud = random.random(rows) < FRAUD_SHARE

    def either(of_fraud: np.ndarray | float, of_normal: np.ndarray | float) -> np.ndarray:
        return np.where(fraud, of_fraud, of_normal)

    usual = random.lognormal(3.2, 0.7, USERS)[random.integers(0, USERS, rows)] * (
        1.0 + 2.0 * position
    )
    multiple = np.exp(random.normal(either(1.9 - 0.8 * position, 0.0), either(0.7, 0.55)))
    amount = usual * multiple
    odd_hour = random.random(rows) < either(0.45, 0.12)
    hour = np.where(odd_hour, random.integers(0, 6, rows), random.integers(6, 24, rows))
    velocity = (
        random.lognormal(0.0, 0.5, rows)
        * (1.0 + 1.0 * position)
        * np.exp(either(0.6 + 0.8 * position, 0.0))
    )
    risky = random.random(rows) < either(0.35, 0.08)
    times = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(rows) * np.timedelta64(STEP)
    by_name = {
        "amount": amount,
        "amount_vs_user_avg": multiple,
        "amount_zscore": (multiple - 1.0) / 0.6 + random.normal(0.0, 0.2, rows),
        "day_of_week": (times.astype("datetime64[D]").astype(int) + 3) % 7,
        "device_known": random.random(rows) < either(0.35, 0.93 - 0.2 * position),
        "hour_of_day": hour,
        "is_high_risk_merchant": risky,
        "is_odd_hour": odd_hour,
        "location_match": random.beta(either(1.2, 6.0), either(2.0, 1.2)),
        "risk_score_raw": random.beta(either(3.0, 1.5), either(4.0, 9.0)),
        "tx_velocity_ratio": velocity,
    }
    features = np.column_stack([by_name[name].astype(float) for name in NAMES]).round(4)
    return Stream(features, fraud.astype(np.int8), times)


def build_lines(seed: int, rows: int) -> Iterator[str]:
    """Build a stream as JSON lines with the columns of `scored_events`.

    Args:
        seed: The seed.
        rows: The number of events.

    Yields:
        The lines, without a line break.
    """
    made = build_stream(seed, rows)
    for values, truth, moment in zip(
        made.features.tolist(), made.truth.tolist(), made.times.tolist(), strict=True
    ):
        features = dict(zip(NAMES, values, strict=True))
        yield json.dumps(
            {
                "timestamp": moment.replace(tzinfo=UTC).isoformat(),
                "amount": features["amount"],
                "anomaly_score": 0.0,
                "is_anomaly": False,
                "anomaly_label": truth,
                "amount_vs_user_avg": features["amount_vs_user_avg"],
                "features_json": features,
            }
        )
