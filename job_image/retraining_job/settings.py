"""The trainer's settings: one frozen object, read once from the environment when the process starts.

The operator writes this environment; the names come from the contract. A bad value ends the process with one sentence
that names the setting as it stands in the environment and, where it has one, in the chart's values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from retraining_job.contract import (
    DATABASE_URL,
    ENVIRONMENT_PREFIX,
    REDIS_URL,
    Tunables,
    environment_name,
    value_name,
)
from retraining_job.errors import BadConfiguration

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

VALUE_OF_SECRET = {DATABASE_URL: "database.url", REDIS_URL: "redis.url"}


class MigrateSettings(Tunables, BaseSettings):
    """What `migrate` needs: the database alone."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix=ENVIRONMENT_PREFIX)

    database_url: SecretStr = Field(validation_alias=DATABASE_URL, min_length=1)


class TrainSettings(MigrateSettings):
    """What `train` needs besides: Redis, and which run this is."""

    redis_url: SecretStr = Field(validation_alias=REDIS_URL, min_length=1)
    run_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    """Two processes with the same run id are the same run, started twice."""
    request: str = ""
    """The RetrainRequest as namespace/name; empty where there is none."""
    reason: str = "unknown"
    """Why the retrain was asked for."""


Settings = TypeVar("Settings", bound=MigrateSettings)


def read_settings(kind: type[Settings]) -> Settings:
    """Read the settings from the environment.

    Raises:
        BadConfiguration: one sentence for each setting that is missing or wrong.
    """
    try:
        return kind()
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise BadConfiguration(" ".join(sentence(detail) for detail in details)) from None


def sentence(detail: ErrorDetails) -> str:
    """Say what is wrong with one setting, without its value: it may be a secret."""
    field = str(detail["loc"][0])
    if detail["type"] == "missing":
        return f"The setting {full_name(field)} is missing."
    problem = detail["msg"]
    return f"The setting {full_name(field)} is wrong: {problem[0].lower()}{problem[1:]}."


def full_name(field: str) -> str:
    """Name a setting as it stands in the chart's values and in the environment."""
    if field in VALUE_OF_SECRET:
        return f"{VALUE_OF_SECRET[field]} ({field})"
    if field in Tunables.model_fields:
        return f"{value_name(field)} ({environment_name(field)})"
    return environment_name(field)
