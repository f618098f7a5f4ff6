"""A trainer's pod, read from the cluster's object: whether it runs, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.pod_problems import (
    SECONDS_CHARACTERS,
    PodProblem,
    find_pod_condition,
    read_pod_problem,
    select_trainer_statuses,
)

DISRUPTION_REASONS = {
    "Evicted",
    "Preempting",
    "Shutdown",
    "Terminated",
    "NodeLost",
    "NodeShutdown",
}
"""Reasons of failed pods that a node removed without setting the condition DisruptionTarget."""


@dataclass(frozen=True)
class Attempt:
    """How one pod ended.

    Args:
        pod: The name of the pod.
        job_uid: The uid of its Job.
        finished_at: When it ended, in UTC as Kubernetes formats times.
        exit_code: The trainer's exit code; None if the node did not report it.
        reason: The reason that the kubelet gives.
        document: The termination message.
        disruption: Why Kubernetes removed the pod; empty if the trainer ended by itself.
        rejection: Why the pod failed although its trainer never ran; empty if the trainer ran or
            Kubernetes removed the pod.
    """

    pod: str
    job_uid: str
    finished_at: str
    exit_code: int | None
    reason: str
    document: str
    disruption: str = ""
    rejection: str = ""


@dataclass(frozen=True)
class Pod:
    """One pod of a Job.

    Args:
        uid: The uid.
        job_uid: The uid of its Job.
        request_uid: The uid of its RetrainRequest.
        is_alive: Whether it has not ended and is not being deleted.
        problem: What keeps it from starting.
        attempt: How it ended; None while it has not.
        name: The name.
        created_at: When it was created, in UTC as Kubernetes formats times, in whole seconds.
        resource_version: The resource version, as a number.
        phase: The phase.
        is_deleted: Whether it is being deleted, or is gone.
        running_containers: The containers that still run although the trainer has ended. Sidecars
            with restartPolicy Always are not among them, because the kubelet ends those by itself.
        is_trainer_running: Whether the trainer's container runs.
        unstarted_since: Since when the trainer could start and has not, in UTC as Kubernetes
            formats times. None if it has started, or if a scheduling gate holds the pod back.
    """

    uid: str
    job_uid: str
    request_uid: str
    is_alive: bool
    problem: PodProblem | None
    attempt: Attempt | None
    name: str = ""
    created_at: str = ""
    resource_version: int = 0
    phase: str = ""
    is_deleted: bool = False
    running_containers: tuple[str, ...] = ()
    is_trainer_running: bool = False
    unstarted_since: str | None = None


def read_pod(body: Mapping[str, Any]) -> Pod | None:
    """Read the cluster's object. Returns None if it does not belong to a RetrainRequest."""
    metadata = body["metadata"]
    request_uid = (metadata.get("labels") or {}).get(names.LABEL_REQUEST_UID)
    if not request_uid:
        return None
    attempt = read_attempt(body)
    status = body.get("status") or {}
    is_deleted = bool(metadata.get("deletionTimestamp"))
    is_alive = attempt is None and not is_deleted
    is_trainer_running = any(
        "running" in (container.get("state") or {}) for container in select_trainer_statuses(status)
    )
    is_unstarted = is_alive and not is_trainer_running
    return Pod(
        uid=metadata["uid"],
        job_uid=read_job_uid(metadata),
        request_uid=request_uid,
        is_alive=is_alive,
        problem=read_pod_problem(status) if is_alive else None,
        attempt=attempt,
        name=metadata.get("name", ""),
        created_at=str(metadata.get("creationTimestamp") or "")[:SECONDS_CHARACTERS],
        resource_version=int(metadata.get("resourceVersion") or 0),
        phase=status.get("phase") or "",
        is_deleted=is_deleted,
        running_containers=read_running_containers(status) if attempt else (),
        is_trainer_running=is_trainer_running,
        unstarted_since=read_start_of_wait(body) if is_unstarted else None,
    )


def read_start_of_wait(body: Mapping[str, Any]) -> str | None:
    """Read since when a pod waits for a node, or for its containers once it has one.

    Returns:
        The time in UTC as Kubernetes formats times; None if a scheduling gate holds the pod back.
    """
    status = body.get("status") or {}
    waiting = find_pod_condition(status, "PodScheduled", "False") or {}
    if waiting.get("reason") == "SchedulingGated":
        return None
    scheduled = find_pod_condition(status, "PodScheduled", "True") or {}
    created = body["metadata"].get("creationTimestamp")
    return scheduled.get("lastTransitionTime") or created or None


def read_running_containers(status: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the containers beside the trainer that have not ended."""
    if status.get("phase") in {"Succeeded", "Failed"}:
        return ()
    return tuple(
        container["name"]
        for container in status.get("containerStatuses") or ()
        if container["name"] != names.TRAINER_CONTAINER
        and "terminated" not in (container.get("state") or {})
    )


def read_job_uid(metadata: Mapping[str, Any]) -> str:
    """Return the uid of the Job that controls a pod, or an empty text."""
    owners = metadata.get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def read_attempt(pod: Mapping[str, Any]) -> Attempt | None:
    """Read how a pod ended. Returns None while it has not."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    disrupted = find_pod_condition(status, "DisruptionTarget", "True") or {}
    disruption = _join(disrupted.get("reason"), disrupted.get("message"))
    name, job_uid = metadata.get("name", ""), read_job_uid(metadata)
    for container in select_trainer_statuses(status):
        if end := (container.get("state") or {}).get("terminated"):
            return Attempt(
                pod=name,
                job_uid=job_uid,
                finished_at=end.get("finishedAt") or "",
                exit_code=end.get("exitCode"),
                reason=end.get("reason") or "",
                document=end.get("message") or "",
                disruption=disruption,
            )
    if status.get("phase") != "Failed":
        return None
    # The trainer has not ended, but the pod has failed: it was evicted before its container
    # existed, its node no longer answers, or its node never accepted it.
    reason, message = status.get("reason") or "", status.get("message") or ""
    attempt = Attempt(
        pod=name,
        job_uid=job_uid,
        finished_at=disrupted.get("lastTransitionTime") or metadata.get("creationTimestamp") or "",
        exit_code=None,
        reason=reason,
        document="",
    )
    if disrupted or reason in DISRUPTION_REASONS:
        return replace(attempt, disruption=disruption or message or reason)
    rejection = _join(reason, message) or _describe_failed_init_container(status)
    return replace(attempt, rejection=rejection or "Kubernetes gives no reason")


def _describe_failed_init_container(status: Mapping[str, Any]) -> str:
    for container in status.get("initContainerStatuses") or ():
        end = (container.get("state") or {}).get("terminated") or {}
        if end.get("exitCode"):
            return f"its init container {container['name']} ended with exit code {end['exitCode']}"
    return ""


def _join(reason: str | None, message: str | None) -> str:
    return ": ".join(filter(None, (reason, message)))
