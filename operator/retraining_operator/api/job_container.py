"""The trainer's container: its command, environment and resources."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from retraining_operator.api import names
from retraining_operator.api.approval import Approval
from retraining_operator.api.names import Task
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.api.resources import merge_resources
from retraining_operator.api.trigger import REASON_LIMIT_CHARACTERS
from retraining_operator.contract import (
    DATABASE_URL,
    REDIS_URL,
    SIGNING_KEY,
    SIGNING_KEY_PREVIOUS,
    Promotion,
    Tunables,
    environment_name,
    to_line,
)
from retraining_operator.settings import SecretKey, Settings


class InvalidRequestError(Exception):
    """The request matches its schema but cannot be fulfilled."""


def merge_tunables(request: RetrainRequest, settings: Settings) -> Tunables:
    """Merge the request's settings of the trainer with the operator's.

    Args:
        request: The request, whose settings count first.
        settings: The operator's settings.

    Returns:
        The settings of the run.

    Raises:
        InvalidRequestError: If the merged settings are invalid.
    """
    try:
        tunables = Tunables(**{**settings.trainer.model_dump(), **request.spec.tunables()})
    except ValidationError as error:
        fields = ", ".join(f"spec.{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
        raise InvalidRequestError(fields) from None
    check_rollback(request)
    if tunables.minimum_rows > tunables.rows:
        raise InvalidRequestError(
            f"The run reads {tunables.rows:,} rows (rows) but needs at least "
            f"{tunables.minimum_rows:,} (minimumRows), so it could never train. "
            "Set spec.rows or spec.minimumRows."
        )
    return tunables


def check_rollback(request: RetrainRequest) -> None:
    """Check that a rollback asks for nothing that contradicts it, because it goes live at once.

    Raises:
        InvalidRequestError: If it does.
    """
    spec = request.spec
    asked = {
        "dryRun: true": spec.dry_run is True,
        "promotion: Manual": spec.promotion is Promotion.MANUAL,
    }
    for field, is_asked in asked.items():
        if request.is_rollback and is_asked:
            raise InvalidRequestError(
                f"A rollback goes live at once, which spec.{field} contradicts. "
                "Apply a request with one of the two."
            )


def build_container(
    request: RetrainRequest, settings: Settings, approval: Approval | None
) -> Manifest:
    """Build the trainer's container.

    It needs no rights in the cluster and writes no file but its result document.

    Args:
        request: The request.
        settings: The operator's settings.
        approval: The approval to apply, if any.

    Returns:
        The container.
    """
    return {
        "name": names.TRAINER_CONTAINER,
        "image": settings.job.image,
        "imagePullPolicy": settings.job.image_pull_policy,
        "args": build_arguments(request, approval),
        "env": [*copy.deepcopy(settings.job.env), *build_environment(request, settings, approval)],
        "resources": merge_resources(request.spec.resources, settings.job.resources),
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            **copy.deepcopy(settings.job.security_context),
        },
        **(
            {"envFrom": list(copy.deepcopy(settings.job.env_from))} if settings.job.env_from else {}
        ),
        **(
            {"volumeMounts": list(copy.deepcopy(settings.job.volume_mounts))}
            if settings.job.volume_mounts
            else {}
        ),
    }


def build_arguments(request: RetrainRequest, approval: Approval | None) -> list[str]:
    """Build the trainer's command line.

    Args:
        request: The request.
        approval: The approval to apply, if any.

    Returns:
        The command with its options.
    """
    if approval:
        return [Task.DECIDE]
    if request.is_rollback:
        return ["rollback", "--to", str(request.spec.rollback_to)]
    return [Task.TRAIN]


def build_environment(
    request: RetrainRequest, settings: Settings, approval: Approval | None
) -> list[Manifest]:
    """Build the trainer's environment variables.

    Args:
        request: The request.
        settings: The operator's settings.
        approval: The approval to apply, if any.

    Returns:
        The variables, named as the contract says.
    """
    fields: dict[str, Any] = {
        "run_id": request.uid,
        "request": request.key,
        "reason": to_line(request.spec.reason, REASON_LIMIT_CHARACTERS),
        "image": settings.job.image,
        **({"approval": approval.answer, "approval_by": approval.author} if approval else {}),
        **merge_tunables(request, settings).model_dump(mode="json"),
    }
    values = [
        {"name": environment_name(field), "value": escape_references(str(value))}
        for field, value in fields.items()
    ]
    secrets = {
        DATABASE_URL: settings.database,
        REDIS_URL: settings.redis,
        SIGNING_KEY: settings.signing,
        SIGNING_KEY_PREVIOUS: settings.previous_signing,
    }
    return [
        *values,
        *(
            build_secret_variable(variable, secret)
            for variable, secret in secrets.items()
            if secret
        ),
    ]


def escape_references(value: str) -> str:
    """Escape `$(NAME)`, which Kubernetes would expand.

    Otherwise the reason of a record could read out a secret.
    """
    return value.replace("$", "$$")


def build_secret_variable(variable: str, secret: SecretKey) -> Manifest:
    """Build a variable that the kubelet fills from a Secret. The operator never reads the Secret.

    Args:
        variable: The name of the variable.
        secret: The Secret and its key.

    Returns:
        The variable.
    """
    return {
        "name": variable,
        "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}},
    }
