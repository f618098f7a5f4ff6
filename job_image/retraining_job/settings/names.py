"""The full name of a setting, as error messages show it."""

from __future__ import annotations

from retraining_job.contract import (
    DATABASE_URL,
    REDIS_URL,
    SIGNING_KEY,
    SIGNING_KEY_PREVIOUS,
    Tunables,
    environment_name,
    value_name,
)

VALUE_OF_SECRET = {
    DATABASE_URL: "database.url",
    REDIS_URL: "redis.url",
    SIGNING_KEY: "signing.existingSecret",
    SIGNING_KEY_PREVIOUS: "signing.previousSecretKey",
}


def get_full_name(field: str) -> str:
    """Return the name of a setting in the chart's values and in the environment."""
    if field in VALUE_OF_SECRET:
        return f"{VALUE_OF_SECRET[field]} ({field})"
    if field in Tunables.model_fields:
        return f"{value_name(field)} ({environment_name(field)})"
    return environment_name(field)
