"""A trainer's pod as the operator sees it: what holds it up, and how it ended.

Pure; driven by the view.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.kubernetes_errors import (
    CONTAINER_NOT_CREATED,
    IMAGE_PULL_FAILED,
    INIT_BLOCKED,
    POD_REFUSED,
    UNSCHEDULABLE,
    ErrorRow,
    format_error,
)
from retraining_operator.api.reasons import ConditionReason

IMAGE_REASONS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
CREATION_REASONS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CreatePodSandboxError",
    "ConfigPodSandboxError",
}
"""The kubelet's words for a container that waits; others, such as ContainerCreating, pass by themselves."""

WAITING_REASONS = frozenset(
    {
        ConditionReason.IMAGE_PULL_FAILED,
        ConditionReason.CONTAINER_NOT_CREATED,
        ConditionReason.UNSCHEDULABLE,
        ConditionReason.POD_REFUSED,
    }
)
"""The reasons of a pod that waits for a person, or for room."""
DISRUPTION_REASONS = {"Evicted", "Preempting", "Shutdown", "Terminated", "NodeLost", "NodeShutdown"}
"""Reasons of a failed pod that a node took away without the condition DisruptionTarget."""
CRASHES = "CrashLoopBackOff"
FAILED_CREATE = "FailedCreate"
"""The reason of the Job controller's Event where the API server refuses a pod."""
SECONDS_CHARACTERS = len("2026-03-01T12:00:00")
"""Times are compared in whole seconds, because some have fractions and some have not."""


@dataclass(frozen=True)
class PodProblem:
    """What holds a pod up, or why it failed: a reason, and sentences that say what to do."""

    reason: str
    message: str


@dataclass(frozen=True)
class Attempt:
    """One pod's end."""

    pod: str
    job_uid: str
    finished_at: str
    exit_code: int | None
    """None where the node has not told: the pod was taken away, or the node is lost."""
    reason: str
    document: str
    disruption: str = ""
    """Why Kubernetes took the pod away, in its own words; empty where the trainer ended by itself."""
    rejection: str = ""
    """Why the pod failed although its trainer never ran; empty if the trainer ran or the pod was taken away."""


@dataclass(frozen=True)
class Pod:
    """One pod of a Job."""

    uid: str
    job_uid: str
    request_uid: str
    is_alive: bool
    """Whether it has neither ended nor been told to."""
    problem: PodProblem | None
    attempt: Attempt | None
    name: str = ""
    created_at: str = ""
    resource_version: int = 0
    phase: str = ""
    is_deleted: bool = False
    """Whether it is told to end, or is gone."""
    running_containers: tuple[str, ...] = ()
    """Containers that still run although the trainer has ended. Sidecars with restartPolicy Always are none of them:
    the kubelet ends those by itself."""
    is_trainer_running: bool = False
    """Whether the trainer's container runs."""


@dataclass(frozen=True)
class Refusal:
    """A pod that the API server did not let the Job controller create."""

    job_uid: str
    at: str
    """When it was refused last, as Kubernetes writes times."""
    problem: PodProblem


def read_refusal(event: Mapping[str, Any]) -> Refusal | None:
    """Read an Event FailedCreate of a Job. Returns None for every other Event."""
    regarding = event.get("regarding") or {}
    if (
        event.get("reason") != FAILED_CREATE
        or regarding.get("kind") != "Job"
        or not regarding.get("uid")
    ):
        return None
    # Each try has another pod's name, and only the Job's part of it says something.
    generated = re.compile(
        rf"({re.escape(str(regarding.get('name', '')))}-)[a-z0-9]{{5}}(?![a-z0-9-])"
    )
    said = generated.sub(r"\1", str(event.get("note") or "")).rpartition("Error creating: ")[2]
    series = event.get("series") or {}
    at = (
        series.get("lastObservedTime")
        or event.get("deprecatedLastTimestamp")
        or event.get("eventTime")
    )
    at = at or event["metadata"].get("creationTimestamp") or ""
    return Refusal(
        str(regarding["uid"]),
        str(at)[:SECONDS_CHARACTERS],
        build_problem(POD_REFUSED, said or FAILED_CREATE),
    )


def read_pod(body: Mapping[str, Any]) -> Pod | None:
    """Read the cluster's object; None where it is no RetrainRequest's."""
    metadata = body["metadata"]
    request_uid = (metadata.get("labels") or {}).get(names.LABEL_REQUEST_UID)
    if not request_uid:
        return None
    attempt = read_attempt(body)
    status = body.get("status") or {}
    deleted = bool(metadata.get("deletionTimestamp"))
    alive = attempt is None and not deleted
    return Pod(
        uid=metadata["uid"],
        job_uid=read_job_uid(metadata),
        request_uid=request_uid,
        is_alive=alive,
        problem=read_pod_problem(status) if alive else None,
        attempt=attempt,
        name=metadata.get("name", ""),
        created_at=str(metadata.get("creationTimestamp") or "")[:SECONDS_CHARACTERS],
        resource_version=int(metadata.get("resourceVersion") or 0),
        phase=status.get("phase") or "",
        is_deleted=deleted,
        running_containers=read_running_containers(status) if attempt else (),
        is_trainer_running=any(
            "running" in (container.get("state") or {})
            for container in select_trainer_statuses(status)
        ),
    )


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
    """Give the uid of the Job behind a pod."""
    owners = metadata.get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def read_attempt(pod: Mapping[str, Any]) -> Attempt | None:
    """Read how a pod's trainer ended; None while it has not."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    taken = find_pod_condition(status, "DisruptionTarget", "True")
    disruption = (
        ": ".join(filter(None, (taken.get("reason"), taken.get("message")))) if taken else ""
    )
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
    # Evicted before its container was there, on a node that no longer answers, or never let in by
    # its node.
    told = taken or {}
    finished_at = told.get("lastTransitionTime") or metadata.get("creationTimestamp") or ""
    reason = status.get("reason") or ""
    said = ": ".join(
        filter(None, (reason, status.get("message")))
    ) or describe_failed_init_container(status)
    if taken or reason in DISRUPTION_REASONS:
        return Attempt(
            name,
            job_uid,
            finished_at,
            None,
            reason,
            "",
            disruption or status.get("message") or reason,
        )
    return Attempt(
        name, job_uid, finished_at, None, reason, "", rejection=said or "Kubernetes gives no reason"
    )


def describe_failed_init_container(status: Mapping[str, Any]) -> str:
    """Return how the init container that has failed ended; empty if none has."""
    for container in status.get("initContainerStatuses") or ():
        end = (container.get("state") or {}).get("terminated") or {}
        if end.get("exitCode"):
            return f"its init container {container['name']} ended with exit code {end['exitCode']}"
    return ""


def read_pod_problem(status: Mapping[str, Any]) -> PodProblem | None:
    """Read what holds a pod up, in the kubelet's or the scheduler's own words; None where nothing does."""
    for container in select_trainer_statuses(status):
        word, message = read_waiting_state(container)
        if word in IMAGE_REASONS:
            # The kubelet puts a preface of its own before the same sentence while it backs off.
            return build_problem(IMAGE_PULL_FAILED, message.rpartition("ErrImagePull: ")[2] or word)
        if word in CREATION_REASONS:
            return build_problem(CONTAINER_NOT_CREATED, message or word)
    for container in status.get("initContainerStatuses") or ():
        word, message = read_waiting_state(container)
        if word in IMAGE_REASONS | CREATION_REASONS | {CRASHES}:
            said = message.rpartition("ErrImagePull: ")[2] or word
            return build_problem(
                INIT_BLOCKED, f"the container {container['name']} waits ({word}): {said}"
            )
    unscheduled = find_pod_condition(status, "PodScheduled", "False")
    if unscheduled and unscheduled.get("reason") == "Unschedulable":
        return build_problem(
            UNSCHEDULABLE, unscheduled.get("message") or "the scheduler gives no reason"
        )
    return None


def read_waiting_state(container: Mapping[str, Any]) -> tuple[str, str]:
    """Return the reason and the message with which a container waits; empty if it does not."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    return waiting.get("reason", ""), waiting.get("message", "")


def build_problem(row: ErrorRow, said: str) -> PodProblem:
    """Build the trouble of a row of the table with what Kubernetes says."""
    return PodProblem(row.reason, format_error(row, said))


def select_trainer_statuses(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the trainer's container, where the kubelet has told of it."""
    return (
        each
        for each in status.get("containerStatuses") or ()
        if each["name"] == names.TRAINER_CONTAINER
    )


def find_pod_condition(
    status: Mapping[str, Any], kind: str, truth: str
) -> Mapping[str, Any] | None:
    """Give a pod's condition where it has that truth."""
    conditions = status.get("conditions") or ()
    return next(
        (each for each in conditions if each["type"] == kind and each["status"] == truth), None
    )
