"""A trainer's pod as the operator sees it: what holds it up, and how it ended. Pure; driven by the view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from retraining_operator import names
from retraining_operator.reason import Reason

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

HOLDS = frozenset({Reason.IMAGE_PULL_FAILED, Reason.CONTAINER_NOT_CREATED, Reason.UNSCHEDULABLE})
"""The reasons of a pod that waits for a person, or for room."""

ADVICE = {
    Reason.IMAGE_PULL_FAILED: (
        "The trainer's image cannot be pulled",
        "Check jobImage.repository, jobImage.tag and imagePullSecrets, and whether the node reaches the registry.",
    ),
    Reason.CONTAINER_NOT_CREATED: (
        "The trainer's container cannot be created",
        "Check that the Secrets of database, redis and signing exist and have the keys that the values name.",
    ),
    Reason.UNSCHEDULABLE: (
        "No node takes the trainer's pod",
        "Make room, or change job.resources (spec.resources of a request), job.nodeSelector or job.tolerations.",
    ),
}


@dataclass(frozen=True)
class Trouble:
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


@dataclass(frozen=True)
class Pod:
    """One pod of a Job."""

    uid: str
    job_uid: str
    request_uid: str
    alive: bool
    """Whether it has neither ended nor been told to."""
    hold: Trouble | None
    attempt: Attempt | None


def read_pod(body: Mapping[str, Any]) -> Pod | None:
    """Read the cluster's object; None where it is no RetrainRequest's."""
    metadata = body["metadata"]
    request_uid = (metadata.get("labels") or {}).get(names.LABEL_REQUEST_UID)
    if not request_uid:
        return None
    attempt = read_attempt(body)
    alive = attempt is None and not metadata.get("deletionTimestamp")
    hold = read_hold(body.get("status") or {}) if alive else None
    return Pod(metadata["uid"], owner_of(metadata), request_uid, alive, hold, attempt)


def owner_of(metadata: Mapping[str, Any]) -> str:
    """Give the uid of the Job behind a pod."""
    owners = metadata.get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def read_attempt(pod: Mapping[str, Any]) -> Attempt | None:
    """Read how a pod's trainer ended; None while it has not."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    taken = condition_of(status, "DisruptionTarget", "True")
    disruption = ": ".join(filter(None, (taken.get("reason"), taken.get("message")))) if taken else ""
    name, job_uid = metadata.get("name", ""), owner_of(metadata)
    for container in trainers_of(status):
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
    # Evicted before its container was there, or on a node that no longer answers.
    told = taken or {}
    finished_at = told.get("lastTransitionTime") or metadata.get("creationTimestamp") or ""
    reason = status.get("reason") or ""
    return Attempt(name, job_uid, finished_at, None, reason, "", disruption or status.get("message") or reason)


def read_hold(status: Mapping[str, Any]) -> Trouble | None:
    """Read what holds a pod up, in the kubelet's or the scheduler's own words; None where nothing does."""
    for container in trainers_of(status):
        waiting = (container.get("state") or {}).get("waiting") or {}
        word, message = waiting.get("reason", ""), waiting.get("message", "")
        if word in IMAGE_REASONS:
            # The kubelet puts a preface of its own before the same sentence while it backs off.
            return trouble(Reason.IMAGE_PULL_FAILED, message.rpartition("ErrImagePull: ")[2] or word)
        if word in CREATION_REASONS:
            return trouble(Reason.CONTAINER_NOT_CREATED, message or word)
    unscheduled = condition_of(status, "PodScheduled", "False")
    if unscheduled and unscheduled.get("reason") == "Unschedulable":
        return trouble(Reason.UNSCHEDULABLE, unscheduled.get("message") or "the scheduler gives no reason")
    return None


def trouble(reason: Reason, words: str) -> Trouble:
    """Put what Kubernetes says between what it means and what to do."""
    meaning, advice = ADVICE[reason]
    return Trouble(reason, f"{meaning}: {' '.join(words.split()).rstrip('.')}. {advice}")


def trainers_of(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the trainer's container, where the kubelet has told of it."""
    return (each for each in status.get("containerStatuses") or () if each["name"] == names.TRAINER_CONTAINER)


def condition_of(status: Mapping[str, Any], kind: str, truth: str) -> Mapping[str, Any] | None:
    """Give a pod's condition where it has that truth."""
    conditions = status.get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind and each["status"] == truth), None)
