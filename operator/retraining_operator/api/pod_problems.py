"""What keeps a trainer's pod from starting: read from its status, or from an Event of its Job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.kubernetes_error_table import (
    CONTAINER_NOT_CREATED,
    IMAGE_PULL_FAILED,
    INIT_BLOCKED,
    POD_REFUSED,
    UNSCHEDULABLE,
    ErrorRow,
)
from retraining_operator.api.kubernetes_errors import format_error
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
"""Reasons of the kubelet for a waiting container. Others, such as ContainerCreating, pass."""
CRASHES = "CrashLoopBackOff"

WAITING_REASONS = frozenset(
    {
        ConditionReason.IMAGE_PULL_FAILED,
        ConditionReason.CONTAINER_NOT_CREATED,
        ConditionReason.UNSCHEDULABLE,
        ConditionReason.POD_REFUSED,
    }
)
"""The reasons of a pod that waits for a person, or for free resources."""
FAILED_CREATE = "FailedCreate"
"""The reason of the Job controller's Event if the API server refuses a pod."""
SECONDS_CHARACTERS = len("2026-03-01T12:00:00")
"""Times are compared in whole seconds, because only some of them have fractions."""


@dataclass(frozen=True)
class PodProblem:
    """What keeps a pod from starting, or why it failed.

    Args:
        reason: The reason that the condition shows.
        message: The same as text, with what to do.
    """

    reason: str
    message: str


@dataclass(frozen=True)
class Refusal:
    """A pod that the API server did not let the Job controller create.

    Args:
        job_uid: The uid of the Job.
        at: When a pod was last refused, in UTC as Kubernetes formats times, in whole seconds.
        problem: Why it was refused.
        since: When a pod was first refused, in UTC as Kubernetes formats times.
    """

    job_uid: str
    at: str
    problem: PodProblem
    since: str = ""


def read_refusal(event: Mapping[str, Any]) -> Refusal | None:
    """Read an Event FailedCreate of a Job. Returns None for every other Event."""
    regarding = event.get("regarding") or {}
    is_refusal = event.get("reason") == FAILED_CREATE and regarding.get("kind") == "Job"
    if not is_refusal or not regarding.get("uid"):
        return None
    # Each try has another pod name, of which only the part with the name of the Job matters.
    job_name = re.escape(str(regarding.get("name", "")))
    pod_name = re.compile(rf"({job_name}-)[a-z0-9]{{5}}(?![a-z0-9-])")
    note = pod_name.sub(r"\1", str(event.get("note") or ""))
    at = (
        (event.get("series") or {}).get("lastObservedTime")
        or event.get("deprecatedLastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
    since = event.get("deprecatedFirstTimestamp") or event["metadata"].get("creationTimestamp")
    return Refusal(
        job_uid=str(regarding["uid"]),
        at=str(at)[:SECONDS_CHARACTERS],
        problem=build_problem(POD_REFUSED, note.rpartition("Error creating: ")[2] or FAILED_CREATE),
        since=str(since or event.get("eventTime") or ""),
    )


def read_pod_problem(status: Mapping[str, Any]) -> PodProblem | None:
    """Read from the status of a pod what keeps it from starting. Returns None for nothing."""
    return (
        _read_trainer_problem(status)
        or _read_init_problem(status)
        or _read_scheduling_problem(status)
    )


def _read_trainer_problem(status: Mapping[str, Any]) -> PodProblem | None:
    for container in select_trainer_statuses(status):
        reason, message = _read_waiting_state(container)
        if reason in IMAGE_REASONS:
            return build_problem(IMAGE_PULL_FAILED, _strip_backoff(message) or reason)
        if reason in CREATION_REASONS:
            return build_problem(CONTAINER_NOT_CREATED, message or reason)
    return None


def _read_init_problem(status: Mapping[str, Any]) -> PodProblem | None:
    for container in status.get("initContainerStatuses") or ():
        reason, message = _read_waiting_state(container)
        if reason in IMAGE_REASONS | CREATION_REASONS | {CRASHES}:
            cause = _strip_backoff(message) or reason
            return build_problem(
                INIT_BLOCKED, f"the container {container['name']} waits ({reason}): {cause}"
            )
    return None


def _read_scheduling_problem(status: Mapping[str, Any]) -> PodProblem | None:
    condition = find_pod_condition(status, "PodScheduled", "False")
    if condition and condition.get("reason") == "Unschedulable":
        return build_problem(
            UNSCHEDULABLE, condition.get("message") or "the scheduler gives no reason"
        )
    return None


def _strip_backoff(message: str) -> str:
    # While the kubelet backs off, it puts a text of its own before the same message.
    return message.rpartition("ErrImagePull: ")[2]


def _read_waiting_state(container: Mapping[str, Any]) -> tuple[str, str]:
    waiting = (container.get("state") or {}).get("waiting") or {}
    return waiting.get("reason", ""), waiting.get("message", "")


def build_problem(row: ErrorRow, text: str) -> PodProblem:
    """Build a problem from a row of the error table.

    Args:
        row: The row.
        text: What Kubernetes reports.

    Returns:
        The problem.
    """
    return PodProblem(row.reason, format_error(row, text))


def select_trainer_statuses(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Select the status of the trainer's container, if the kubelet has reported it."""
    return (
        container
        for container in status.get("containerStatuses") or ()
        if container["name"] == names.TRAINER_CONTAINER
    )


def find_pod_condition(
    status: Mapping[str, Any], kind: str, truth: str
) -> Mapping[str, Any] | None:
    """Find a condition of a pod.

    Args:
        status: The status of the pod.
        kind: The type of the condition.
        truth: The status that the condition must have.

    Returns:
        The condition, or None if there is none of that type and status.
    """
    for condition in status.get("conditions") or ():
        if condition["type"] == kind and condition["status"] == truth:
            found: Mapping[str, Any] = condition
            return found
    return None
