"""A trainer's pod, read from the cluster's object: whether it runs, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import (
    INTEGER_LIMIT,
    NAME_LIMIT_CHARACTERS,
    Fields,
    read_integer,
)
from retraining_operator.api.owner import read_job_owner
from retraining_operator.api.pod_problems import (
    SECONDS_CHARACTERS,
    PodProblem,
    find_pod_condition,
    read_pod_problem,
    select_trainer_statuses,
)
from retraining_operator.contract import RESULT_LIMIT_BYTES, Result, read_result

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
        job_uid: The uid of its Job; empty if no Job controls the pod.
        run_id: The run that a result document must name: the uid of the RetrainRequest.
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
    run_id: str = ""
    finished_at: str = ""
    exit_code: int | None = None
    reason: str = ""
    document: str = ""
    disruption: str = ""
    rejection: str = ""

    @cached_property
    def result(self) -> Result | None:
        """The result document. None if there is none, or if it is of another run."""
        found = read_result(self.document) if self.document else None
        return found if found and self.run_id and found.run_id == self.run_id else None


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
    """Read the cluster's object.

    Returns:
        The pod. None if no Job controls it, or if it names no RetrainRequest.

    Raises:
        MalformedObjectError: If the uid is missing.
    """
    metadata, status = Fields.of(body).fields("metadata"), Fields.of(body).fields("status")
    request_uid, job = read_request_uid(metadata), read_job_owner(metadata)
    if not request_uid or job is None:
        return None
    attempt = read_attempt(body)
    is_deleted = "deletionTimestamp" in metadata
    is_alive = attempt is None and not is_deleted
    is_trainer_running = any(
        "running" in container.fields("state") for container in select_trainer_statuses(status)
    )
    is_unstarted = is_alive and not is_trainer_running
    return Pod(
        uid=metadata.require_name("uid"),
        job_uid=job.uid,
        request_uid=request_uid,
        is_alive=is_alive,
        problem=read_pod_problem(status.values) if is_alive else None,
        attempt=attempt,
        name=metadata.text("name", NAME_LIMIT_CHARACTERS),
        created_at=metadata.text("creationTimestamp", SECONDS_CHARACTERS),
        resource_version=metadata.integer("resourceVersion"),
        phase=status.text("phase"),
        is_deleted=is_deleted,
        running_containers=read_running_containers(status) if attempt else (),
        is_trainer_running=is_trainer_running,
        unstarted_since=read_start_of_wait(metadata, status) if is_unstarted else None,
    )


def read_request_uid(metadata: Fields) -> str:
    """Return the uid of the RetrainRequest that a pod's label names, or an empty text."""
    return metadata.fields("labels").text(names.LABEL_REQUEST_UID, NAME_LIMIT_CHARACTERS)


def read_start_of_wait(metadata: Fields, status: Fields) -> str | None:
    """Read since when a pod waits for a node, or for its containers once it has one.

    Args:
        metadata: The metadata of the pod.
        status: Its status.

    Returns:
        The time in UTC as Kubernetes formats times; None if a scheduling gate holds the pod back.
    """
    waiting = find_pod_condition(status, "PodScheduled", "False") or Fields({})
    if waiting.text("reason") == "SchedulingGated":
        return None
    scheduled = find_pod_condition(status, "PodScheduled", "True") or Fields({})
    return scheduled.time("lastTransitionTime") or metadata.time("creationTimestamp")


def read_running_containers(status: Fields) -> tuple[str, ...]:
    """Return the names of the containers beside the trainer that have not ended."""
    if status.text("phase") in {"Succeeded", "Failed"}:
        return ()
    return tuple(
        container.text("name", NAME_LIMIT_CHARACTERS)
        for container in status.items("containerStatuses")
        if container.text("name") != names.TRAINER_CONTAINER
        and "terminated" not in container.fields("state")
    )


def read_attempt(body: Mapping[str, Any]) -> Attempt | None:
    """Read how a pod ended. Returns None while it has not."""
    metadata, status = Fields.of(body).fields("metadata"), Fields.of(body).fields("status")
    disrupted = find_pod_condition(status, "DisruptionTarget", "True") or Fields({})
    disruption = _join(disrupted.text("reason"), disrupted.text("message"))
    owner = read_job_owner(metadata)
    attempt = Attempt(
        pod=metadata.text("name", NAME_LIMIT_CHARACTERS),
        job_uid=owner.uid if owner else "",
        run_id=read_request_uid(metadata),
    )
    for container in select_trainer_statuses(status):
        if end := container.fields("state").fields("terminated"):
            return replace(
                attempt,
                finished_at=end.time("finishedAt") or "",
                exit_code=read_integer(end.values.get("exitCode")),
                reason=end.text("reason"),
                document=end.text("message", RESULT_LIMIT_BYTES),
                disruption=disruption,
            )
    if status.text("phase") != "Failed":
        return None
    # The trainer has not ended, but the pod has failed: it was evicted before its container
    # existed, its node no longer answers, or its node never accepted it.
    reason, message = status.text("reason"), status.text("message")
    attempt = replace(
        attempt,
        finished_at=disrupted.time("lastTransitionTime")
        or metadata.time("creationTimestamp")
        or "",
        reason=reason,
    )
    if disrupted or reason in DISRUPTION_REASONS:
        return replace(attempt, disruption=disruption or message or reason)
    rejection = _join(reason, message) or _describe_failed_init_container(status)
    return replace(attempt, rejection=rejection or "Kubernetes gives no reason")


def _describe_failed_init_container(status: Fields) -> str:
    for container in status.items("initContainerStatuses"):
        code = (
            container.fields("state").fields("terminated").integer("exitCode", low=-INTEGER_LIMIT)
        )
        if code:
            return f"its init container {container.text('name')} ended with exit code {code}"
    return ""


def _join(reason: str, message: str) -> str:
    return ": ".join(filter(None, (reason, message)))
