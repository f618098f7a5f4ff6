"""The threshold at which the live service raises an alert: from Redis where it keeps it there.

Driven by `retrain`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, cast

from retraining_job.contract import Tunables
from retraining_job.registry.client import store

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings

SETTING = "setting"

log = logging.getLogger(__name__)


class Threshold(NamedTuple):
    """A score above it raises an alert."""

    value: float
    source: str
    """The Redis key that it was read from, or `setting`."""


def set_threshold(settings: Tunables) -> Threshold:
    """Give the one that is set."""
    return Threshold(settings.threshold, SETTING)


def live_threshold(settings: TrainSettings) -> Threshold:
    """Read the one that is live.

    Raises:
        BadConfiguration: the key holds something else than a text.
        DependencyAway: Redis does not answer.
    """
    key = settings.threshold_key
    if not key:
        return set_threshold(settings)
    with store(settings.redis_url) as client:
        text = cast(bytes | None, client.get(key))
    value = number(text)
    if value is None:
        log.warning(
            "%s holds %s instead of a threshold from 0 to 1, so the setting of %g counts.",
            key,
            "nothing" if text is None else repr(text[:40]),
            settings.threshold,
        )
        return set_threshold(settings)
    return Threshold(value, key)


def number(text: bytes | None) -> float | None:
    """Read a threshold; None where it is none."""
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0.0 <= value <= 1.0 else None
