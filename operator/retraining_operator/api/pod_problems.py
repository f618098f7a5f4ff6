"""What keeps a trainer's pod from starting: read from its status, or from an Event of its Job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import NAME_LIMIT_CHARACTERS, Fields
from retraining_operator.api.kubernetes_error_table import (
    CONTAINER_NOT_CREATED,
    IMAGE_PULL_FAILED,
    INIT_BLOCKED,
    POD_REFUSED,
    UNSCHEDULABLE,
    ErrorRow,
)
from retraining_operator.api.kubernetes_errors import format_error
from retraining_operator.api.owner import JOB_GROUP, JOB_KIND, read_kind
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


def read_refusal(body: Mapping[str, Any]) -> Refusal | None:
    """Read an Event FailedCreate of a Job. Returns None for every other Event."""
    event = Fields.of(body)
    regarding = event.fields("regarding")
    job_uid = regarding.text("uid", NAME_LIMIT_CHARACTERS)
    is_about_job = read_kind(regarding) == (JOB_GROUP, JOB_KIND)
    if event.text("reason") != FAILED_CREATE or not is_about_job or not job_uid:
        return None
    # Each try has another pod name, of which only the part with the name of the Job matters.
    job_name = re.escape(regarding.text("name", NAME_LIMIT_CHARACTERS))
    pod_name = re.compile(rf"({job_name}-)[a-z0-9]{{5}}(?![a-z0-9-])")
    note = pod_name.sub(r"\1", event.text("note"))
    at = (
        event.fields("series").time("lastObservedTime")
        or event.time("deprecatedLastTimestamp")
        or event.time("eventTime")
        or event.fields("metadata").time("creationTimestamp")
        or ""
    )
    since = (
        event.time("deprecatedFirstTimestamp")
        or event.fields("metadata").time("creationTimestamp")
        or event.time("eventTime")
        or ""
    )
    return Refusal(
        job_uid=job_uid,
        at=at[:SECONDS_CHARACTERS],
        problem=build_problem(POD_REFUSED, note.rpartition("Error creating: ")[2] or FAILED_CREATE),
        since=since,
    )


def read_pod_problem(body: Mapping[str, Any]) -> PodProblem | None:
    """Read from the status of a pod what keeps it from starting. Returns None for nothing."""
    status = Fields.of(body)
    return (
        _read_trainer_problem(status)
        or _read_init_problem(status)
        or _read_scheduling_problem(status)
    )


def _read_trainer_problem(status: Fields) -> PodProblem | None:
    for container in select_trainer_statuses(status):
        reason, message = _read_waiting_state(container)
        if reason in IMAGE_REASONS:
            return build_problem(IMAGE_PULL_FAILED, _strip_backoff(message) or reason)
        if reason in CREATION_REASONS:
            return build_problem(CONTAINER_NOT_CREATED, message or reason)
    return None


def _read_init_problem(status: Fields) -> PodProblem | None:
    for container in status.items("initContainerStatuses"):
        reason, message = _read_waiting_state(container)
        if reason in IMAGE_REASONS | CREATION_REASONS | {CRASHES}:
            cause = _strip_backoff(message) or reason
            return build_problem(
                INIT_BLOCKED, f"the container {container.text('name')} waits ({reason}): {cause}"
            )
    return None


def _read_scheduling_problem(status: Fields) -> PodProblem | None:
    condition = find_pod_condition(status, "PodScheduled", "False")
    if condition and condition.text("reason") == "Unschedulable":
        return build_problem(
            UNSCHEDULABLE, condition.text("message") or "the scheduler gives no reason"
        )
    return None


def _strip_backoff(message: str) -> str:
    # While the kubelet backs off, it puts a text of its own before the same message.
    return message.rpartition("ErrImagePull: ")[2]


def _read_waiting_state(container: Fields) -> tuple[str, str]:
    waiting = container.fields("state").fields("waiting")
    return waiting.text("reason"), waiting.text("message")


def build_problem(row: ErrorRow, text: str) -> PodProblem:
    """Build a problem from a row of the error table.

    Args:
        row: The row.
        text: What Kubernetes reports.

    Returns:
        The problem.
    """
    return PodProblem(row.reason, format_error(row, text))


def select_trainer_statuses(status: Fields) -> Iterator[Fields]:
    """Select the status of the trainer's container, if the kubelet has reported it."""
    return (
        container
        for container in status.items("containerStatuses")
        if container.text("name") == names.TRAINER_CONTAINER
    )


def find_pod_condition(status: Fields, kind: str, truth: str) -> Fields | None:
    """Find a condition of a pod.

    Args:
        status: The status of the pod.
        kind: The type of the condition.
        truth: The status that the condition must have.

    Returns:
        The condition, or None if there is none of that type and status.
    """
    for condition in status.items("conditions"):
        if condition.text("type") == kind and condition.text("status") == truth:
            return condition
    return None
