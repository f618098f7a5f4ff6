"""A Job, read from the cluster's object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from retraining_operator.api import names
from retraining_operator.api.fields import NAME_LIMIT_CHARACTERS, Fields
from retraining_operator.api.owner import find_task, read_request_owner
from retraining_operator.api.pod_problems import PodProblem

ENDS = frozenset({"Complete", "Failed"})
"""The types of the conditions of a finished Job."""


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

    The fields from `waiting_for` to `is_trainer_running`, and `unstarted_since`, come from its pods
    and Events.

    Args:
        name: The name.
        uid: The uid.
        request_uid: The uid of its RetrainRequest.
        task: The task that it carries out.
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
        unstarted_since: Since when its pod waits for its trainer to start, in UTC as Kubernetes
            formats times; None if the trainer has started, or is held back on purpose.
        start_timeout_seconds: If it was ended because its trainer did not start: for how long it
            was waited; empty if it was not.
        launch_token: The random text that the operator gave it; empty if it has none.
    """

    name: str
    uid: str
    request_uid: str
    task: names.Task
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
    unstarted_since: str | None = None
    start_timeout_seconds: str = ""
    launch_token: str = ""

    @property
    def has_outcome(self) -> bool:
        """Whether its trainer has ended successfully although the Job has not ended."""
        return self.ended_trainer is not None and self.ended_trainer.succeeded


def read_job(body: Mapping[str, Any]) -> Job | None:
    """Read the cluster's object.

    Returns:
        The Job. None if it is not named and owned as a RetrainRequest's Job is.

    Raises:
        MalformedObjectError: If name, uid or resource version is missing.
    """
    metadata = Fields.of(body).fields("metadata")
    name, uid, version = (
        metadata.require_name("name"),
        metadata.require_name("uid"),
        metadata.require_version(),
    )
    owner = read_request_owner(metadata)
    task = find_task(name, owner) if owner else None
    if owner is None or task is None:
        return None
    spec, status = Fields.of(body).fields("spec"), Fields.of(body).fields("status")
    annotations = metadata.fields("annotations")
    conditions = {
        condition.text("type"): condition
        for condition in status.items("conditions")
        if condition.text("status") == "True"
    }
    end = next((kind for kind in conditions if kind in ENDS), None)
    condition = conditions[end] if end else Fields({})
    return Job(
        name=name,
        uid=uid,
        request_uid=owner.uid,
        task=task,
        resource_version=version,
        active=status.integer("active"),
        ready=status.integer("ready"),
        failed=status.integer("failed"),
        succeeded=status.integer("succeeded"),
        started_at=status.time("startTime"),
        finished_at=condition.time("lastTransitionTime"),
        end=cast("Literal['Complete', 'Failed'] | None", end),
        end_reason=condition.text("reason"),
        end_message=condition.text("message"),
        has_ttl=spec.values.get("ttlSecondsAfterFinished") is not None,
        replaced_by=annotations.text(names.ANNOTATION_REPLACED_BY, NAME_LIMIT_CHARACTERS),
        retries=spec.integer("backoffLimit"),
        deadline_seconds=spec.integer("activeDeadlineSeconds") or None,
        is_failing="FailureTarget" in conditions,
        is_suspended="Suspended" in conditions,
        is_ended_by_operator=names.ANNOTATION_TRAINER_ENDED in annotations,
        start_timeout_seconds=annotations.text(
            names.ANNOTATION_START_TIMEOUT, NAME_LIMIT_CHARACTERS
        ),
        launch_token=annotations.text(names.ANNOTATION_LAUNCH, NAME_LIMIT_CHARACTERS),
    )
