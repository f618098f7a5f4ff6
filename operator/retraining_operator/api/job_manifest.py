"""The manifests of a RetrainRequest's Jobs, at most one for each task.

Pure: the same request and settings give the same manifest.
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from retraining_operator.api import names
from retraining_operator.api.approval import Approval
from retraining_operator.api.names import Task
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.contract import (
    DATABASE_URL,
    REDIS_URL,
    SIGNING_KEY,
    ExitCode,
    Tunables,
    environment_name,
)
from retraining_operator.settings import JobSettings, SecretKey, Settings


class InvalidRequestError(Exception):
    """A request that its schema let pass and that still asks for what cannot be."""


def merge_tunables(request: RetrainRequest, settings: Settings) -> Tunables:
    """Lay what the request sets over the operator's settings of the trainer.

    Raises:
        InvalidRequestError: where the two together make no sense.
    """
    try:
        tunables = Tunables(**{**settings.trainer.model_dump(), **request.spec.tunables()})
    except ValidationError as error:
        fields = ", ".join(f"spec.{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
        raise InvalidRequestError(fields) from None
    if tunables.minimum_rows > tunables.rows:
        raise InvalidRequestError(
            f"It reads {tunables.rows:,} rows (rows) but wants {tunables.minimum_rows:,} at least (minimumRows), "
            "so it could never train; set spec.rows or spec.minimumRows."
        )
    return tunables


def build_job(
    request: RetrainRequest, settings: Settings, approval: Approval | None = None
) -> Manifest:
    """Build the manifest of the request's one Job that trains, or of the one that carries a decision out.

    Raises:
        InvalidRequestError: where no Job could fulfil the request.
    """
    job, spec = settings.job, request.spec
    task = Task.DECIDE if approval else Task.TRAIN
    labels = {
        **job.labels,
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_COMPONENT: names.TRAINER_CONTAINER,
        names.LABEL_REQUEST: request.name,
        names.LABEL_REQUEST_UID: request.uid,
        names.LABEL_TASK: task,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.build_job_name(request.name, request.uid, task),
            "namespace": request.namespace,
            "labels": labels,
            "annotations": {names.ANNOTATION_APPROVAL: str(approval)} if approval else {},
            "ownerReferences": [
                {
                    "apiVersion": f"{names.GROUP}/{names.VERSION}",
                    "kind": names.KIND,
                    "name": request.name,
                    "uid": request.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "backoffLimit": job.retries if spec.retries is None else spec.retries,
            "activeDeadlineSeconds": spec.deadline_seconds or job.deadline_seconds,
            "podFailurePolicy": {"rules": build_failure_rules()},
            "template": {
                "metadata": {"labels": labels, "annotations": dict(job.annotations)},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": job.service_account_name,
                    "automountServiceAccountToken": job.automount_service_account_token,
                    "enableServiceLinks": False,
                    "imagePullSecrets": [dict(secret) for secret in job.image_pull_secrets],
                    "nodeSelector": dict(job.node_selector),
                    "tolerations": [dict(toleration) for toleration in job.tolerations],
                    "securityContext": {
                        "runAsNonRoot": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                        **copy.deepcopy(job.pod_security_context),
                    },
                    "containers": [build_container(request, settings, approval)],
                    **build_placement(job),
                },
            },
        },
    }


def build_failure_rules() -> list[Manifest]:
    """Say which ends of a pod are not tried again, and which do not count as a failure at all.

    All others are tried again and counted. Running out of memory is among them: its exit code 137
    is that of every kill, and memory that was short on the node may be there the next time.
    """
    hopeless = sorted({int(ExitCode.BAD_DATA), int(ExitCode.BAD_CONFIGURATION)})
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": build_exit_code_rule(hopeless)},
        # The model is live and only its audit row is missing: tried again until the deadline.
        {"action": "Ignore", "onExitCodes": build_exit_code_rule([int(ExitCode.AUDIT_PENDING)])},
    ]


def build_exit_code_rule(values: list[int]) -> Manifest:
    """Match the trainer's exit codes."""
    return {"containerName": names.TRAINER_CONTAINER, "operator": "In", "values": values}


def build_placement(job: JobSettings) -> Manifest:
    """Build the further fields of the pod that are set at all."""
    fields: Manifest = {
        "affinity": job.affinity,
        "topologySpreadConstraints": list(job.topology_spread_constraints),
        "priorityClassName": job.priority_class_name,
        "runtimeClassName": job.runtime_class_name,
        "volumes": list(job.volumes),
    }
    return {name: copy.deepcopy(value) for name, value in fields.items() if value}


def build_container(
    request: RetrainRequest, settings: Settings, approval: Approval | None
) -> Manifest:
    """Build the trainer's container; it needs no right in the cluster and writes nothing but its result document."""
    return {
        "name": names.TRAINER_CONTAINER,
        "image": settings.job.image,
        "imagePullPolicy": settings.job.image_pull_policy,
        "args": build_arguments(request, approval),
        "env": [*copy.deepcopy(settings.job.env), *build_environment(request, settings, approval)],
        "resources": copy.deepcopy(request.spec.resources or settings.job.resources),
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
    """Name what the trainer's program is to do."""
    if approval:
        return [Task.DECIDE]
    if request.spec.rollback_to is not None:
        return ["rollback", "--to", str(request.spec.rollback_to)]
    return [Task.TRAIN]


def build_environment(
    request: RetrainRequest, settings: Settings, approval: Approval | None
) -> list[Manifest]:
    """Build the trainer's environment from the contract's names."""
    fields: dict[str, Any] = {
        "run_id": request.uid,
        "request": request.key,
        "reason": request.spec.reason,
        "image": settings.job.image,
        **({"decision": approval.decision, "decided_by": approval.author} if approval else {}),
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
    """Keep Kubernetes from expanding `$(NAME)` in a value: a record's reason could read out a secret that way."""
    return value.replace("$", "$$")


def build_secret_variable(variable: str, secret: SecretKey) -> Manifest:
    """Let the kubelet fill a variable from a Secret that the operator itself never reads."""
    return {
        "name": variable,
        "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}},
    }
