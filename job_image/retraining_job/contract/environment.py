"""The names of a setting in the container's environment and in the chart's values."""

from __future__ import annotations

from pydantic.alias_generators import to_camel

ENVIRONMENT_PREFIX = "RETRAIN_"
DATABASE_URL = "DATABASE_URL"
REDIS_URL = "REDIS_URL"
SIGNING_KEY = "SIGNING_KEY"
SIGNING_KEY_PREVIOUS = "SIGNING_KEY_PREVIOUS"
"""The signing key before the present one. What it has signed is still accepted."""


def environment_name(field: str) -> str:
    """Return the environment variable of a setting: `run_id` -> `RETRAIN_RUN_ID`."""
    return ENVIRONMENT_PREFIX + field.upper()


def value_name(field: str) -> str:
    """Return the chart's value of a tunable: `minimum_rows` -> `trainer.minimumRows`."""
    return f"trainer.{to_camel(field)}"
