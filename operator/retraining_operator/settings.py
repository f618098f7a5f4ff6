"""The operator's settings: one frozen object, read once at start-up from a mounted file.

Fields are in the order of the chart's `values.yaml`, which documents each of them. The chart
renders the file from those values. An environment variable such as `KAFKA__TOPIC` takes precedence.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from retraining_operator.contract import (
    DATABASE_URL,
    REDIS_URL,
    SIGNING_KEY,
    Tunables,
    environment_name,
)
from retraining_operator.scalars import Resources, Text, Valued

TRAINER_PREFIX = environment_name("")
"""Prefix of the names of the trainer's own variables."""


class SettingsError(Exception):
    """A setting is missing or wrong. The text names it."""


class Section(BaseModel):
    """A part of the settings. Its fields are written in camel case, as in `values.yaml`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class LeaderElection(Section):
    """Leader election, with the same three times as in other controllers."""

    enabled: bool = True
    lease_duration_seconds: int = Field(default=15, ge=1)
    renew_deadline_seconds: float = Field(default=10, gt=0)
    retry_period_seconds: float = Field(default=2, gt=0)

    @model_validator(mode="after")
    def check(self) -> Self:
        """Check that two processes cannot lead at once and that one lost answer ends no leader.

        Raises:
            PydanticCustomError: If the times are not in ascending order.
        """
        if (
            not self.retry_period_seconds
            < self.renew_deadline_seconds
            < self.lease_duration_seconds
        ):
            raise PydanticCustomError(
                "times",
                "retryPeriodSeconds must be less than renewDeadlineSeconds, "
                "and that less than leaseDurationSeconds",
            )
        return self


class Kafka(Section):
    """The topic of the triggers, and how to connect to Kafka."""

    bootstrap_servers: str = Field(min_length=1)
    topic: str = Field(default="retraining-triggers", min_length=1, max_length=249)
    group_id: str = Field(default="retraining-operator", min_length=1)
    start_position: Literal["earliest", "latest"] = "earliest"
    dead_letter_topic: str = Field(default="", max_length=249)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    existing_secret: str = ""
    username_key: str = Field(default="username", min_length=1)
    password_key: str = Field(default="password", min_length=1)
    ca_key: str = Field(default="ca.crt", min_length=1)
    certificate_key: str = Field(default="tls.crt", min_length=1)
    private_key_key: str = Field(default="tls.key", min_length=1)
    secret_folder: Path = Path("/etc/retraining-operator-kafka")
    """Where the chart mounts that Secret."""

    @property
    def uses_sasl(self) -> bool:
        """Whether the connection authenticates with username and password."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted with TLS."""
        return self.security_protocol.endswith("SSL")

    @model_validator(mode="after")
    def check(self) -> Self:
        """Check that the settings do not contradict each other.

        Raises:
            PydanticCustomError: If they do.
        """
        problem = next(find_contradictions(self), None)
        if problem:
            raise PydanticCustomError("contradiction", "{problem}", {"problem": problem})
        return self


def find_contradictions(kafka: Kafka) -> Iterator[str]:
    """Find settings that contradict each other; yields one message for each."""
    protocol = f"kafka.securityProtocol is {kafka.security_protocol}"
    if kafka.uses_sasl and not kafka.sasl_mechanism:
        yield f"{protocol} and needs kafka.saslMechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    if kafka.uses_sasl and not kafka.existing_secret:
        yield f"{protocol} and needs kafka.existingSecret, a Secret with username and password"
    if kafka.sasl_mechanism and not kafka.uses_sasl:
        yield f"kafka.saslMechanism is set but {protocol}; set that to SASL_SSL or SASL_PLAINTEXT"
    if kafka.existing_secret and kafka.security_protocol == "PLAINTEXT":
        yield (
            f"kafka.existingSecret is set but {protocol}, "
            "which uses neither password nor certificate"
        )
    if kafka.dead_letter_topic == kafka.topic:
        yield (
            "kafka.deadLetterTopic is kafka.topic itself, "
            "so malformed records would come back for ever"
        )


class SecretKey(Section):
    """A key of a Secret in the operator's namespace, which the Job's container reads."""

    name: str = Field(min_length=1)
    key: str = Field(default="url", min_length=1)


class JobSettings(Section):
    """Settings of all Jobs. A RetrainRequest may override deadline, retries and resources."""

    image: str = Field(min_length=1)
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[dict[str, str], ...] = ()
    service_account_name: str = Field(default="retraining-job", min_length=1)
    deadline_seconds: int = Field(default=3600, ge=1)
    retries: int = Field(default=3, ge=0)
    ttl_seconds_after_success: int = Field(default=3600, ge=0)
    ttl_seconds_after_failure: int = Field(default=86_400, ge=0)
    resources: Resources = Field(default_factory=dict)
    log_tail_lines: int = Field(default=30, ge=0, le=1000)
    labels: dict[str, Text] = Field(default_factory=dict)
    annotations: dict[str, Text] = Field(default_factory=dict)
    node_selector: dict[str, Text] = Field(default_factory=dict)
    tolerations: tuple[Valued, ...] = ()
    affinity: dict[str, Any] = Field(default_factory=dict)
    topology_spread_constraints: tuple[dict[str, Any], ...] = ()
    priority_class_name: str = ""
    runtime_class_name: str = ""
    pod_security_context: dict[str, Any] = Field(default_factory=dict)
    security_context: dict[str, Any] = Field(default_factory=dict)
    env: tuple[Valued, ...] = ()
    env_from: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    volume_mounts: tuple[dict[str, Any], ...] = ()
    automount_service_account_token: bool = False

    @field_validator("env")
    @classmethod
    def check_env(cls, env: tuple[Valued, ...]) -> tuple[Valued, ...]:
        """Check that no variable is one that the operator itself sets for the trainer.

        Raises:
            PydanticCustomError: If one is.
        """
        for variable in env:
            name = str(variable.get("name", ""))
            if name in {DATABASE_URL, REDIS_URL, SIGNING_KEY} or name.startswith(TRAINER_PREFIX):
                raise PydanticCustomError("env", "the operator sets {name} itself", {"name": name})
        return env

    def ttl_seconds(self, *, succeeded: bool) -> int:
        """Return the seconds after which Kubernetes deletes a finished Job."""
        return self.ttl_seconds_after_success if succeeded else self.ttl_seconds_after_failure


class Trainer(Tunables):
    """The trainer's own settings, written in camel case as in `values.yaml`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class ConcurrencyPolicy(StrEnum):
    """What happens to a request if the maximum number of runs is reached."""

    QUEUE = "Queue"
    FORBID = "Forbid"
    REPLACE = "Replace"


class Triggers(Section):
    """The trigger policy: when a request may start."""

    max_concurrent: int = Field(default=2, ge=1)
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.QUEUE
    cooldown_seconds: int = Field(default=0, ge=0)
    coalesce: bool = False
    max_runs_per_day: int = Field(default=0, ge=0)
    breaker_failures: int = Field(default=0, ge=0)
    breaker_reset_seconds: int = Field(default=1800, ge=1)
    max_waiting: int = Field(default=1000, ge=0)
    paused: bool = False


class Retention(Section):
    """How many finished RetrainRequests are kept, and for how long."""

    max_count: int = Field(default=1000, ge=1)
    max_age_days: int = Field(default=30, ge=1, le=36_500)


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
    triggers: Triggers = Triggers()
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
            wrong field and contains no value.
    """
    if not path.is_file():
        raise SettingsError(
            f"There is no configuration file at {path}. "
            "The chart mounts it; outside of a cluster pass its path as --config."
        )
    try:
        content = YamlConfigSettingsSource(Settings, yaml_file=path)()
        return Settings(**content)
    except ValidationError as error:
        raise SettingsError(
            " ".join(format_problem(detail["loc"], detail["msg"]) for detail in error.errors())
        ) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise SettingsError(
            f"The configuration file {path} cannot be read as YAML: {error}"
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
