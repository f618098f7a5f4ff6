"""The parts of the settings that the audit trail, the registry and the reading of events need."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

NO_KEY = SecretStr("")
"""Stands for a key that is not set."""


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
