"""The manifests of a RetrainRequest's Jobs, at most one per task.

The same request and settings always give the same manifest.
"""

from __future__ import annotations

import copy

from retraining_operator.api import names
from retraining_operator.api.approval import Approval
from retraining_operator.api.job_container import build_container
from retraining_operator.api.names import Task
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.contract import ExitCode
from retraining_operator.settings import JobSettings, Settings


def build_job(
    request: RetrainRequest, settings: Settings, approval: Approval | None = None
) -> Manifest:
    """Build the manifest of a request's Job.

    Args:
        request: The request.
        settings: The operator's settings.
        approval: The approval to apply; None for the Job that trains.

    Returns:
        The manifest of the Job.

    Raises:
        InvalidRequestError: If no Job could fulfil the request.
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
                "spec": build_pod_spec(job, build_container(request, settings, approval)),
            },
        },
    }


def build_pod_spec(job: JobSettings, container: Manifest) -> Manifest:
    """Build the spec of a Job's pod.

    Args:
        job: The settings of all Jobs.
        container: The trainer's container.

    Returns:
        The spec of the pod.
    """
    return {
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
        "containers": [container],
        **build_placement(job),
    }


def build_failure_rules() -> list[Manifest]:
    """Build the rules for failed pods that are not retried, or that do not count as failures.

    All other failures are retried and counted. Running out of memory is one of them: its exit code
    137 is also that of any other kill, and the next node may have more free memory.
    """
    not_retried = sorted({int(ExitCode.BAD_DATA), int(ExitCode.BAD_CONFIGURATION)})
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": build_exit_code_rule(not_retried)},
        # The model is live and only its audit row is missing. It is retried until the deadline.
        {"action": "Ignore", "onExitCodes": build_exit_code_rule([int(ExitCode.AUDIT_PENDING)])},
    ]


def build_exit_code_rule(values: list[int]) -> Manifest:
    """Build the part of a rule that matches exit codes of the trainer."""
    return {"containerName": names.TRAINER_CONTAINER, "operator": "In", "values": values}


def build_placement(job: JobSettings) -> Manifest:
    """Build the optional fields of the pod that are set."""
    fields: Manifest = {
        "affinity": job.affinity,
        "topologySpreadConstraints": list(job.topology_spread_constraints),
        "priorityClassName": job.priority_class_name,
        "runtimeClassName": job.runtime_class_name,
        "volumes": list(job.volumes),
    }
    return {name: copy.deepcopy(value) for name, value in fields.items() if value}
