"""The names under which a setting stands in the container's environment and in the chart's values.

Pure.
"""

from __future__ import annotations

from pydantic.alias_generators import to_camel

ENVIRONMENT_PREFIX = "RETRAIN_"
DATABASE_URL = "DATABASE_URL"
REDIS_URL = "REDIS_URL"
SIGNING_KEY = "SIGNING_KEY"


def environment_name(field: str) -> str:
    """Name the environment variable that carries a setting of the trainer: `run_id` -> `RETRAIN_RUN_ID`."""
    return ENVIRONMENT_PREFIX + field.upper()


def value_name(field: str) -> str:
    """Name the chart's value that carries a tunable of the trainer: `minimum_rows` -> `trainer.minimumRows`."""
    return f"trainer.{to_camel(field)}"
