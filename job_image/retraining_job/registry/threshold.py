"""The threshold at which the live service raises an alert, from Redis or from the settings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, cast

from retraining_job.registry.client import open_registry

if TYPE_CHECKING:
    from pydantic import SecretStr

SETTING = "setting"

log = logging.getLogger(__name__)


class Threshold(NamedTuple):
    """A score above it raises an alert.

    Args:
        value: From 0 to 1.
        source: The Redis key that it was read from, or `setting`.
    """

    value: float
    source: str = SETTING


def read_threshold(redis_url: SecretStr, key: str, default: float) -> Threshold:
    """Read the live threshold.

    Args:
        redis_url: The URL of Redis.
        key: The Redis key of the threshold. If it is empty, the default counts.
        default: The threshold of the settings.

    Returns:
        The threshold with its source.

    Raises:
        BadConfigurationError: The key holds a value of another type.
        DependencyUnavailableError: Redis does not answer.
    """
    if not key:
        return Threshold(default)
    with open_registry(redis_url) as client:
        text = cast(bytes | None, client.get(key))
    value = parse_threshold(text)
    if value is None:
        log.warning(
            "%s holds %s instead of a threshold from 0 to 1. Using the setting of %g.",
            key,
            "nothing" if text is None else repr(text[:40]),
            default,
        )
        return Threshold(default)
    return Threshold(value, key)


def parse_threshold(text: bytes | None) -> float | None:
    """Parse a threshold. Returns None if the text is not a number from 0 to 1."""
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0.0 <= value <= 1.0 else None
