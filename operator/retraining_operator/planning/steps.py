"""The steps of a plan. Each is about one request."""

from __future__ import annotations

from dataclasses import dataclass

from retraining_operator.api.approval import Approval
from retraining_operator.api.conditions import ConditionType, Status, read_conditions
from retraining_operator.api.job import EndedTrainer, Job
from retraining_operator.api.names import Task
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.retrain_approval import RetrainApproval


@dataclass(frozen=True)
class Launch:
    """Create the Job that trains."""

    request: RetrainRequest


@dataclass(frozen=True)
class Replace:
    """End a running Job for a newer request.

    Args:
        request: The request of the Job.
        job: The Job.
        by: The newer request.
    """

    request: RetrainRequest
    job: Job
    by: RetrainRequest


@dataclass(frozen=True)
class ApplyApproval:
    """Create the Job that applies an approval. The status may have it from an earlier try."""

    request: RetrainRequest
    approval: Approval


@dataclass(frozen=True)
class CreateApproval:
    """Create the RetrainApproval in which a person answers."""

    request: RetrainRequest


@dataclass(frozen=True)
class AcceptAnswer:
    """Check and apply the answer in a request's RetrainApproval."""

    request: RetrainRequest
    answered: RetrainApproval


@dataclass(frozen=True)
class WriteStatus:
    """Write the status of a request."""

    request: RetrainRequest
    status: Status

    @property
    def is_final(self) -> bool:
        """Whether it ends the request. Otherwise it only shows progress."""
        return read_conditions(self.status)[ConditionType.SUCCEEDED].status != "Unknown"


@dataclass(frozen=True)
class Conclude:
    """Read how a finished Job ended, and store the outcome."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class FindJob:
    """Look for a Job that the status names and the cache does not contain."""

    request: RetrainRequest
    task: Task


@dataclass(frozen=True)
class RecordOutcome:
    """Write the outcome from the status to the database."""

    request: RetrainRequest


@dataclass(frozen=True)
class EndPod:
    """Delete a pod whose trainer has failed while other containers run, so that the Job retries.

    Args:
        request: The request of the pod.
        trainer: The trainer and its pod.
    """

    request: RetrainRequest
    trainer: EndedTrainer


@dataclass(frozen=True)
class EndUnstarted:
    """End a Job whose trainer has not started in time, so that others get its place.

    Args:
        request: The request of the Job.
        job: The Job.
        seconds: How long the trainer could take to start.
    """

    request: RetrainRequest
    job: Job
    seconds: int


@dataclass(frozen=True)
class EndJob:
    """End a Job whose outcome is stored and whose pod is still running."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class SetTtl:
    """Set the time after which Kubernetes deletes a Job whose outcome is stored and recorded."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class Settle:
    """Nothing is left to do for the request."""

    request: RetrainRequest


Step = (
    Launch
    | Replace
    | CreateApproval
    | AcceptAnswer
    | ApplyApproval
    | WriteStatus
    | Conclude
    | FindJob
    | RecordOutcome
    | EndPod
    | EndUnstarted
    | EndJob
    | SetTtl
    | Settle
)
