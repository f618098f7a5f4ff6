"""Settings of the training Jobs and of the trainer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from retraining_operator.contract import (
    DATABASE_URL,
    REDIS_URL,
    SIGNING_KEY,
    SIGNING_KEY_PREVIOUS,
    Tunables,
    environment_name,
)
from retraining_operator.settings.scalars import Resources, Text, Valued
from retraining_operator.settings.section import Section

TRAINER_PREFIX = environment_name("")
"""Prefix of the names of the trainer's own variables."""


IMAGE_USER = 65_532
"""User and group of the images, which run without root and own nothing."""


def build_pod_security_context() -> dict[str, Any]:
    """Build the default user and groups of a Job's pod.

    Without `runAsGroup`, a container runtime may use the group 0.
    """
    return {"runAsUser": IMAGE_USER, "runAsGroup": IMAGE_USER, "fsGroup": IMAGE_USER}


class SecretKey(Section):
    """A key of a Secret in the operator's namespace, which the Job's container reads."""

    name: str = Field(min_length=1)
    key: str = Field(default="url", min_length=1)


class JobSettings(Section):
    """Settings of all Jobs. A RetrainRequest may change deadline, retries and resources."""

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
    pod_security_context: dict[str, Any] = Field(default_factory=build_pod_security_context)
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
            secrets = {DATABASE_URL, REDIS_URL, SIGNING_KEY, SIGNING_KEY_PREVIOUS}
            if name in secrets or name.startswith(TRAINER_PREFIX):
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
