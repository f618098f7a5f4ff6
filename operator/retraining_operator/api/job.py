"""A Job as the operator sees it: read from the cluster's object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from retraining_operator.api import names
from retraining_operator.api.approval import Approval, InvalidApprovalError, read_approval
from retraining_operator.api.pod import PodProblem


@dataclass(frozen=True)
class EndedTrainer:
    """A trainer that has ended in a pod that Kubernetes does not count as succeeded, or not yet as failed.

    Another container of the pod still runs, or has failed although the trainer succeeded.
    """

    pod: str
    pod_uid: str
    finished_at: str
    succeeded: bool
    """Whether it ended with exit code 0 or left a verdict."""
    is_deleted: bool
    """Whether the pod is told to end already, or is gone."""
    running_containers: tuple[str, ...]
    """The containers that still run."""


@dataclass(frozen=True)
class Job:
    """One Job at one resource version."""

    name: str
    uid: str
    request_uid: str
    task: names.Task
    approval: Approval | None
    """What it carries out, where a person has decided."""
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
    """The newer request for which it was ended; empty where it was not."""
    retries: int = 0
    """How many pods may fail before the Job has failed."""
    deadline_seconds: int | None = None
    is_failing: bool = False
    """Whether it is decided that it fails, while its last pod still ends."""
    waiting_for: PodProblem | None = None
    """What its pod waits for, where the view knows; this and the next are of the pods and not of the object."""
    is_starting: bool = False
    """Whether a pod of it is alive and waits for nothing that a person must solve."""
    last_failure: PodProblem | None = None
    """Why its last pod that has ended failed."""
    ended_trainer: EndedTrainer | None = None
    """The trainer that has ended although its pod goes on; None if there is none."""
    is_trainer_running: bool = False
    """Whether the trainer's container of one of its pods runs."""
    is_suspended: bool = False
    """Whether its own spec.suspend holds it back."""
    is_ended_by_operator: bool = False
    """Whether the operator has ended it because its trainer had ended."""

    @property
    def has_outcome(self) -> bool:
        """Whether its trainer has ended successfully although the Job goes on."""
        return self.ended_trainer is not None and self.ended_trainer.succeeded


def read_owner_uid(body: Mapping[str, Any]) -> str | None:
    """Give the uid of the RetrainRequest that controls an object."""
    for owner in body["metadata"].get("ownerReferences", ()):
        if owner.get("controller") and owner["kind"] == names.KIND:
            return str(owner["uid"])
    return None


def read_job_approval(body: Mapping[str, Any]) -> Approval | None:
    """Give the decision that a Job was created for."""
    try:
        return read_approval((body["metadata"].get("annotations") or {})[names.ANNOTATION_APPROVAL])
    except (KeyError, InvalidApprovalError):
        return None


def read_job(body: Mapping[str, Any]) -> Job | None:
    """Read the cluster's object; None where it is no RetrainRequest's."""
    request_uid = read_owner_uid(body)
    if request_uid is None:
        return None
    labels = body["metadata"].get("labels") or {}
    status = body.get("status") or {}
    true = [
        condition for condition in status.get("conditions") or () if condition["status"] == "True"
    ]
    end = next(
        (condition for condition in true if condition["type"] in {"Complete", "Failed"}), None
    )
    return Job(
        name=body["metadata"]["name"],
        uid=body["metadata"]["uid"],
        request_uid=request_uid,
        task=names.Task.DECIDE
        if labels.get(names.LABEL_TASK) == names.Task.DECIDE
        else names.Task.TRAIN,
        approval=read_job_approval(body),
        resource_version=int(body["metadata"]["resourceVersion"]),
        active=status.get("active") or 0,
        ready=status.get("ready") or 0,
        failed=status.get("failed") or 0,
        succeeded=status.get("succeeded") or 0,
        started_at=status.get("startTime"),
        finished_at=end["lastTransitionTime"] if end else None,
        end=end["type"] if end else None,
        end_reason=end.get("reason", "") if end else "",
        end_message=end.get("message", "") if end else "",
        has_ttl=body["spec"].get("ttlSecondsAfterFinished") is not None,
        replaced_by=(body["metadata"].get("annotations") or {}).get(
            names.ANNOTATION_REPLACED_BY, ""
        ),
        retries=body["spec"].get("backoffLimit") or 0,
        deadline_seconds=body["spec"].get("activeDeadlineSeconds"),
        is_failing=any(condition["type"] == "FailureTarget" for condition in true),
        is_suspended=any(condition["type"] == "Suspended" for condition in true),
        is_ended_by_operator=names.ANNOTATION_TRAINER_ENDED
        in (body["metadata"].get("annotations") or {}),
    )
