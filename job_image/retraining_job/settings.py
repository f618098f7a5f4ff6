"""The trainer's settings, read once from the environment when the process starts.

The operator writes this environment; the names come from the contract. A wrong value ends the
process with one sentence that names the setting in the environment and in the chart's values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from retraining_job.contract import (
    DATABASE_URL,
    ENVIRONMENT_PREFIX,
    REDIS_URL,
    SIGNING_KEY,
    SIGNING_KEY_PREVIOUS,
    ApprovalAnswer,
    Tunables,
    environment_name,
    value_name,
)
from retraining_job.contract.database_url import clean_secret
from retraining_job.errors import BadConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SIGNING_KEY_CHARACTERS = 16
"""A shorter key could be guessed."""

NO_KEY = SecretStr("")
"""Stands for a key that is not set."""

VALUE_OF_SECRET = {
    DATABASE_URL: "database.url",
    REDIS_URL: "redis.url",
    SIGNING_KEY: "signing.existingSecret",
    SIGNING_KEY_PREVIOUS: "signing.previousSecretKey",
}

RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


@dataclass(frozen=True)
class RetryPolicy:
    """How often a step is repeated while a dependency is unavailable.

    Args:
        retries: The number of retries.
        delay_seconds: The delay before each.
    """

    retries: int
    delay_seconds: float


@dataclass(frozen=True)
class ReadLimits:
    """How long one statement that reads from the database may take, in seconds.

    Args:
        statement_seconds: The time limit of the statement; 0 for none.
        lock_seconds: How long it waits for a lock; 0 for no limit.
    """

    statement_seconds: float
    lock_seconds: float


@dataclass(frozen=True)
class AuditSettings:
    """What the audit trail needs to know about a run.

    Args:
        database_url: The URL of the database.
        read_limits: The time limits of reading.
        run_id: The run.
        request: The RetrainRequest as namespace/name, empty if there is none.
        trigger_reason: Why the retrain was requested.
        preset: The preset.
    """

    database_url: SecretStr
    read_limits: ReadLimits
    run_id: str
    request: str
    trigger_reason: str
    preset: str


@dataclass(frozen=True)
class RegistrySettings:
    """What the model registry needs to know.

    Args:
        redis_url: The URL of Redis.
        model_key: The Redis key of the live model.
        version_key: The Redis key of its version.
        signing_key: Signs what is written to Redis; empty if there is no key.
        model_limit_bytes: A larger live model is not read.
        history_versions: How many former champions are stored.
        deviation_class: The name under which the pickle's deviation score is imported.
        run_id: The run that publishes.
        image: The trainer's image.
        threshold_key: The Redis key of the threshold that a promotion publishes; empty if none.
        previous_signing_key: The signing key before the present one, whose signatures are accepted;
            empty if there is none.
    """

    redis_url: SecretStr
    model_key: str
    version_key: str
    signing_key: SecretStr
    model_limit_bytes: int
    history_versions: int
    deviation_class: str
    run_id: str
    image: str
    threshold_key: str = ""
    previous_signing_key: SecretStr = NO_KEY


class RunSettings(Tunables, BaseSettings):
    """The settings of every run: the tunables, and which run it is."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix=ENVIRONMENT_PREFIX)

    run_id: str = Field(default="by-hand", pattern=RUN_ID)
    """Two processes with the same run id are two attempts of the same run."""
    request: str = ""
    """The RetrainRequest as namespace/name, empty if there is none."""
    reason: str = "unknown"
    """Why the retrain was requested."""
    image: str = ""
    """The trainer's image, for the audit trail."""

    @property
    def model_limit_bytes(self) -> int:
        """A larger live model is not read."""
        return self.model_limit_mebibytes << 20

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often a step is repeated while a dependency is unavailable."""
        return RetryPolicy(self.database_retries, self.database_retry_delay_seconds)

    @property
    def read_limits(self) -> ReadLimits:
        """How long a statement that reads from the database may take."""
        return ReadLimits(self.read_timeout_seconds, self.read_lock_timeout_seconds)


class MigrateSettings(RunSettings):
    """The settings of `migrate` and `report`, which need the database."""

    database_url: SecretStr = Field(validation_alias=DATABASE_URL, min_length=1)

    @field_validator(
        "database_url",
        "redis_url",
        "signing_key",
        "previous_signing_key",
        mode="before",
        check_fields=False,
    )
    @classmethod
    def strip_secret(cls, secret: object) -> object:
        """Remove what editors, shells and `echo` leave around a secret."""
        return clean_secret(secret) if isinstance(secret, str) else secret

    @property
    def audit(self) -> AuditSettings:
        """The part that the audit trail needs."""
        return AuditSettings(
            self.database_url,
            self.read_limits,
            self.run_id,
            self.request,
            self.reason,
            self.preset,
        )


class TrainSettings(MigrateSettings):
    """The settings of `train`, which needs Redis as well, and a run id of its own."""

    redis_url: SecretStr = Field(validation_alias=REDIS_URL, min_length=1)
    signing_key: SecretStr = Field(default=NO_KEY, validation_alias=SIGNING_KEY)
    """Signs what is written to Redis. If it is set, what is not signed is not trusted."""
    previous_signing_key: SecretStr = Field(default=NO_KEY, validation_alias=SIGNING_KEY_PREVIOUS)
    """The signing key before the present one. Its signatures are accepted, too."""
    run_id: str = Field(pattern=RUN_ID)

    @field_validator("signing_key", "previous_signing_key")
    @classmethod
    def check_key_length(cls, key: SecretStr) -> SecretStr:
        """Check that the key is long enough.

        Raises:
            ValueError: It is too short.
        """
        if 0 < len(key.get_secret_value()) < SIGNING_KEY_CHARACTERS:
            raise ValueError(f"it has fewer than {SIGNING_KEY_CHARACTERS} characters")
        return key

    @field_validator("previous_signing_key")
    @classmethod
    def check_present_key(cls, previous: SecretStr, info: ValidationInfo) -> SecretStr:
        """Check that there is a present key beside a previous one.

        Args:
            previous: The previous key.
            info: The fields before this one.

        Returns:
            The previous key.

        Raises:
            ValueError: There is none, so signatures would not be checked at all.
        """
        present = info.data.get("signing_key")
        if previous.get_secret_value() and present == NO_KEY:
            raise ValueError(f"it needs {get_full_name(SIGNING_KEY)}")
        return previous

    @property
    def registry(self) -> RegistrySettings:
        """The part that the model registry needs."""
        return RegistrySettings(
            redis_url=self.redis_url,
            model_key=self.model_key,
            version_key=self.version_key,
            signing_key=self.signing_key,
            model_limit_bytes=self.model_limit_bytes,
            history_versions=self.history_versions,
            deviation_class=self.deviation_class,
            run_id=self.run_id,
            image=self.image,
            threshold_key=self.threshold_key if self.publish_threshold else "",
            previous_signing_key=self.previous_signing_key,
        )


class DecideSettings(TrainSettings):
    """The settings of `decide`, with the approval or rejection of the run's challenger."""

    approval: ApprovalAnswer
    approval_by: str = Field(default="", max_length=200)


class OperateSettings(TrainSettings):
    """The settings of `rollback`, `history` and `sign`, which are not runs of a RetrainRequest."""

    run_id: str = Field(default_factory=lambda: f"by-hand-{uuid4()}", pattern=RUN_ID)


Settings = TypeVar("Settings", bound=RunSettings)


def read_settings(kind: type[Settings], **given: Any) -> Settings:
    """Read the settings from the environment.

    Args:
        kind: The settings to read.
        **given: Values that override the environment.

    Returns:
        The settings.

    Raises:
        BadConfigurationError: A setting is missing or wrong. The text has one sentence for each.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise BadConfigurationError(" ".join(map(describe_problem, details))) from None


def describe_problem(detail: ErrorDetails) -> str:
    """Return what is wrong with one setting, without its value, which may be a secret."""
    field = str(detail["loc"][0])
    if detail["type"] == "missing":
        return f"The setting {get_full_name(field)} is missing."
    problem = detail["msg"]
    return f"The setting {get_full_name(field)} is wrong: {problem[0].lower()}{problem[1:]}."


def get_full_name(field: str) -> str:
    """Return the name of a setting in the chart's values and in the environment."""
    if field in VALUE_OF_SECRET:
        return f"{VALUE_OF_SECRET[field]} ({field})"
    if field in Tunables.model_fields:
        return f"{value_name(field)} ({environment_name(field)})"
    return environment_name(field)
