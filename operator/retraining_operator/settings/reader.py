"""Reads all settings from the mounted configuration file and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from retraining_operator.contract import DATABASE_URL
from retraining_operator.settings.job import JobSettings, SecretKey, Trainer
from retraining_operator.settings.kafka import Kafka
from retraining_operator.settings.policies import Approvals, LeaderElection, Retention, Triggers
from retraining_operator.settings.requests import Requests
from retraining_operator.settings.section import SettingsError


class Settings(BaseSettings):
    """All settings of the operator's process."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        env_nested_delimiter="__",
    )

    namespace: str = Field(min_length=1)
    pod_name: str = ""
    """Set by the chart. Empty outside of a cluster."""
    leader_election: LeaderElection = LeaderElection()
    handled_offsets_name: str = Field(
        default="retraining-operator-offsets", min_length=1, max_length=253
    )
    """The ConfigMap of the handled offsets. The chart names it after the release."""
    kafka: Kafka
    redis: SecretKey
    database: SecretKey
    signing: SecretKey | None = None
    previous_signing: SecretKey | None = None
    """The signing key before the present one. What it has signed is still accepted."""
    triggers: Triggers = Triggers()
    requests: Requests = Requests()
    approvals: Approvals = Approvals()
    retention: Retention = Retention()
    job: JobSettings
    trainer: Trainer = Trainer()
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    http_port: int = Field(default=8005, ge=1, le=65_535)
    database_url: SecretStr | None = Field(
        default=None, exclude=True, validation_alias=DATABASE_URL
    )
    """From the environment only. The chart sets it from the Secret `database`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # passed by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of settings, by precedence: the environment, then the file.

        Args:
            settings_cls: The class of the settings; not used.
            init_settings: The constructor's arguments, which are the file's content.
            env_settings: The environment.
            dotenv_settings: A .env file; not used.
            file_secret_settings: Secret files; not used.

        Returns:
            The sources, the one that takes precedence first.
        """
        return env_settings, init_settings


def read_settings(path: Path) -> Settings:
    """Read the configuration file.

    Raises:
        SettingsError: If there is no file, it is not YAML, or a field is wrong. The text names each
            wrong field and contains no value. The same holds for environment variables.
    """
    if not path.is_file():
        raise SettingsError(
            f"There is no configuration file at {path}. "
            "The chart mounts it; outside of a cluster pass its path as --config."
        )
    try:
        content = YamlConfigSettingsSource(Settings, yaml_file=path)()
    except OSError as error:
        raise SettingsError(
            f"The configuration file {path} cannot be read: {error.strerror}."
        ) from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"The configuration file {path} cannot be read as YAML: {error}"
        ) from None
    try:
        return Settings(**content)
    except ValidationError as error:
        raise SettingsError(
            " ".join(format_problem(detail["loc"], detail["msg"]) for detail in error.errors())
        ) from None
    except SourceError as error:
        raise SettingsError(
            f"An environment variable does not contain valid JSON: {error}."
        ) from None


def format_problem(location: tuple[int | str, ...], problem: str) -> str:
    """Build the message for a wrong setting.

    Args:
        location: The path of the field.
        problem: What is wrong with it.

    Returns:
        One sentence.
    """
    name = ".".join(map(str, location)) or "file"
    return f"The setting {name} is wrong: {problem[0].lower()}{problem[1:]}."
