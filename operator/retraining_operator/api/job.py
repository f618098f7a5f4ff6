"""A Job, read from the cluster's object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from retraining_operator.api import names
from retraining_operator.api.approval import Approval, read_approval_annotations
from retraining_operator.api.pod_problems import PodProblem


@dataclass(frozen=True)
class EndedTrainer:
    """A trainer that has ended in a pod that Kubernetes does not count as ended.

    Another container of the pod is still running, or has failed although the trainer succeeded.

    Args:
        pod: The name of the pod.
        pod_uid: The uid of the pod.
        finished_at: When the trainer ended, in UTC as Kubernetes formats times.
        succeeded: Whether it ended with exit code 0 or left a verdict.
        is_deleted: Whether the pod is being deleted, or is gone.
        running_containers: The containers that are still running.
    """

    pod: str
    pod_uid: str
    finished_at: str
    succeeded: bool
    is_deleted: bool
    running_containers: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One Job at one resource version.

    The fields from `waiting_for` to `is_trainer_running` come from its pods and Events.

    Args:
        name: The name.
        uid: The uid.
        request_uid: The uid of its RetrainRequest.
        task: The task that it carries out.
        approval: The approval that it applies; None for the task `train`.
        resource_version: The resource version, as a number.
        active: Number of pods that are pending or running.
        ready: Number of pods that are ready.
        failed: Number of failed pods that count.
        succeeded: Number of pods that have succeeded.
        started_at: When it started, in UTC as Kubernetes formats times.
        finished_at: When it ended, in the same format.
        end: How it ended; None while it runs.
        end_reason: The reason of that condition.
        end_message: The message of that condition.
        has_ttl: Whether Kubernetes will delete it some time after its end.
        replaced_by: The newer request for which it was ended; empty if it was not.
        retries: How many pods may fail before the Job fails.
        deadline_seconds: The deadline in seconds after the start.
        is_failing: Whether it has failed while its last pod is still ending.
        waiting_for: What keeps its pod from starting.
        is_starting: Whether one of its pods is alive and has no problem.
        last_failure: Why its last ended pod failed.
        ended_trainer: The trainer that has ended although its pod has not.
        is_trainer_running: Whether the trainer's container runs in one of its pods.
        is_suspended: Whether its own `spec.suspend` is true.
        is_ended_by_operator: Whether the operator has ended it because its trainer had ended.
    """

    name: str
    uid: str
    request_uid: str
    task: names.Task
    approval: Approval | None
    resource_version: int
    active: int
    ready: int
    failed: int
    succeeded: int
    started_at: str | None
    finished_at: str | None
    end: Literal["Complete", "Failed"] | None
    end_reason: str
    end_message: str
    has_ttl: bool
    replaced_by: str
    retries: int = 0
    deadline_seconds: int | None = None
    is_failing: bool = False
    waiting_for: PodProblem | None = None
    is_starting: bool = False
    last_failure: PodProblem | None = None
    ended_trainer: EndedTrainer | None = None
    is_trainer_running: bool = False
    is_suspended: bool = False
    is_ended_by_operator: bool = False

    @property
    def has_outcome(self) -> bool:
        """Whether its trainer has ended successfully although the Job has not ended."""
        return self.ended_trainer is not None and self.ended_trainer.succeeded


def read_owner_uid(body: Mapping[str, Any]) -> str | None:
    """Return the uid of the RetrainRequest that controls an object, or None."""
    for owner in body["metadata"].get("ownerReferences", ()):
        if owner.get("controller") and owner["kind"] == names.KIND:
            return str(owner["uid"])
    return None


def read_job(body: Mapping[str, Any]) -> Job | None:
    """Read the cluster's object. Returns None if it does not belong to a RetrainRequest."""
    request_uid = read_owner_uid(body)
    if request_uid is None:
        return None
    metadata, spec = body["metadata"], body["spec"]
    status = body.get("status") or {}
    annotations = metadata.get("annotations") or {}
    is_decide = (metadata.get("labels") or {}).get(names.LABEL_TASK) == names.Task.DECIDE
    conditions = {
        condition["type"]: condition
        for condition in status.get("conditions") or ()
        if condition["status"] == "True"
    }
    end = next((each for kind, each in conditions.items() if kind in {"Complete", "Failed"}), None)
    return Job(
        name=metadata["name"],
        uid=metadata["uid"],
        request_uid=request_uid,
        task=names.Task.DECIDE if is_decide else names.Task.TRAIN,
        approval=read_approval_annotations(annotations),
        resource_version=int(metadata["resourceVersion"]),
        active=status.get("active") or 0,
        ready=status.get("ready") or 0,
        failed=status.get("failed") or 0,
        succeeded=status.get("succeeded") or 0,
        started_at=status.get("startTime"),
        finished_at=end["lastTransitionTime"] if end else None,
        end=end["type"] if end else None,
        end_reason=end.get("reason", "") if end else "",
        end_message=end.get("message", "") if end else "",
        has_ttl=spec.get("ttlSecondsAfterFinished") is not None,
        replaced_by=annotations.get(names.ANNOTATION_REPLACED_BY, ""),
        retries=spec.get("backoffLimit") or 0,
        deadline_seconds=spec.get("activeDeadlineSeconds"),
        is_failing="FailureTarget" in conditions,
        is_suspended="Suspended" in conditions,
        is_ended_by_operator=names.ANNOTATION_TRAINER_ENDED in annotations,
    )
