"""The trainer's settings: one frozen object, read once from the environment when the process starts.

The operator writes this environment; the names come from the contract. A bad value ends the process
with one sentence that names the setting as it stands in the environment and, where it has one, in
the chart's values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from retraining_job.contract import (
    DATABASE_URL,
    ENVIRONMENT_PREFIX,
    REDIS_URL,
    SIGNING_KEY,
    ApprovalDecision,
    Tunables,
    environment_name,
    value_name,
)
from retraining_job.contract.database_url import cleaned
from retraining_job.errors import BadConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SIGNING_KEY_CHARACTERS = 16
"""Fewer could be guessed."""

VALUE_OF_SECRET = {
    DATABASE_URL: "database.url",
    REDIS_URL: "redis.url",
    SIGNING_KEY: "signing.existingSecret",
}

RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


class RunSettings(Tunables, BaseSettings):
    """What every run needs: the tunables, and which run it is."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix=ENVIRONMENT_PREFIX)

    run_id: str = Field(default="by-hand", pattern=RUN_ID)
    """Two processes with the same run id are the same run, started twice."""
    request: str = ""
    """The RetrainRequest as namespace/name; empty where there is none."""
    reason: str = "unknown"
    """Why the retrain was asked for."""
    image: str = ""
    """The trainer's image, for the record."""


class MigrateSettings(RunSettings):
    """What `migrate` and `report` need besides: the database."""

    database_url: SecretStr = Field(validation_alias=DATABASE_URL, min_length=1)

    @field_validator("database_url", "redis_url", "signing_key", mode="before", check_fields=False)
    @classmethod
    def without_white_space(cls, secret: object) -> object:
        """Remove what editors, shells and `echo` leave around a secret."""
        return cleaned(secret) if isinstance(secret, str) else secret


class TrainSettings(MigrateSettings):
    """What `train` needs besides: Redis, and a name for the run that is its own."""

    redis_url: SecretStr = Field(validation_alias=REDIS_URL, min_length=1)
    signing_key: SecretStr = Field(default=SecretStr(""), validation_alias=SIGNING_KEY)
    """Signs the champion where it is set; one that is not signed with it is then not believed."""
    run_id: str = Field(pattern=RUN_ID)

    @field_validator("signing_key")
    @classmethod
    def long_enough(cls, key: SecretStr) -> SecretStr:
        """Refuse a key that could be guessed."""
        if 0 < len(key.get_secret_value()) < SIGNING_KEY_CHARACTERS:
            raise ValueError(f"it has fewer than {SIGNING_KEY_CHARACTERS} characters")
        return key


class DecideSettings(TrainSettings):
    """What `decide` needs besides: a person's word on the challenger of the run."""

    decision: ApprovalDecision
    decided_by: str = Field(default="", max_length=200)


class OperateSettings(TrainSettings):
    """What `rollback`, `history` and `sign` need: they are no run of a RetrainRequest."""

    run_id: str = Field(default_factory=lambda: f"by-hand-{uuid4()}", pattern=RUN_ID)


Settings = TypeVar("Settings", bound=RunSettings)


def read_settings(kind: type[Settings], **given: Any) -> Settings:
    """Read the settings from the environment; what is given besides wins.

    Raises:
        BadConfigurationError: one sentence for each setting that is missing or wrong.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise BadConfigurationError(" ".join(sentence(detail) for detail in details)) from None


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
