"""The settings of each command, as pydantic reads them from the environment."""

from __future__ import annotations

from uuid import uuid4

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from retraining_job.contract import (
    DATABASE_URL,
    ENVIRONMENT_PREFIX,
    REDIS_URL,
    SIGNING_KEY,
    SIGNING_KEY_PREVIOUS,
    ApprovalAnswer,
    Tunables,
    to_line,
)
from retraining_job.contract.database_url import clean_secret
from retraining_job.settings.groups import (
    NO_KEY,
    AuditSettings,
    ReadLimits,
    RegistrySettings,
    RetryPolicy,
)
from retraining_job.settings.names import get_full_name

SIGNING_KEY_CHARACTERS = 16
"""A shorter key could be guessed."""

RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


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

    @field_validator("request", "reason", "image", "approval_by", mode="after", check_fields=False)
    @classmethod
    def write_out(cls, text: str) -> str:
        """Return a text of others as one line. Logs, rows, manifest and report quote it."""
        return to_line(text)

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
    approval_by: str = Field(default="", max_length=300)


class OperateSettings(TrainSettings):
    """The settings of `rollback`, `history` and `sign`, which are not runs of a RetrainRequest."""

    run_id: str = Field(default_factory=lambda: f"by-hand-{uuid4()}", pattern=RUN_ID)
