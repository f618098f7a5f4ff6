"""The steps that a plan is made of, each about one request.

Decided by `plan`, carried out by the reconciler.
"""

from __future__ import annotations

from dataclasses import dataclass

from retraining_operator.api.approval import Approval
from retraining_operator.api.conditions import Status
from retraining_operator.api.job import EndedTrainer, Job
from retraining_operator.api.names import Task
from retraining_operator.api.request import RetrainRequest


@dataclass(frozen=True)
class Launch:
    """Create the request's Job."""

    request: RetrainRequest


@dataclass(frozen=True)
class Replace:
    """End a running Job for a newer request."""

    request: RetrainRequest
    job: Job
    by: RetrainRequest


@dataclass(frozen=True)
class ApplyApproval:
    """Create the Job that carries a person's decision out."""

    request: RetrainRequest
    approval: Approval


@dataclass(frozen=True)
class IgnoreApproval:
    """Say that a decision came when none was awaited."""

    request: RetrainRequest
    message: str


@dataclass(frozen=True)
class WriteStatus:
    """Write the request's status."""

    request: RetrainRequest
    status: Status

    @property
    def is_final(self) -> bool:
        """Whether it ends the request; else it only tells how the request stands."""
        return bool(self.status["conditions"][0]["status"] != "Unknown")


@dataclass(frozen=True)
class Conclude:
    """Read how the finished Job ended and store the outcome."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class FindJob:
    """Look for a Job that the status names and the view does not hold."""

    request: RetrainRequest
    task: Task


@dataclass(frozen=True)
class RecordOutcome:
    """Write the outcome, which stands in the status, to the database."""

    request: RetrainRequest


@dataclass(frozen=True)
class EndPod:
    """Delete a pod whose trainer has failed and whose other containers go on, so that the Job can try again."""

    request: RetrainRequest
    trainer: EndedTrainer


@dataclass(frozen=True)
class EndJob:
    """End a Job whose outcome is stored and whose pod goes on."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class ArmTtl:
    """Let Kubernetes delete the Job, now that its outcome is stored and recorded."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class Settle:
    """Nothing is left to do for this request."""

    request: RetrainRequest


Step = (
    Launch
    | Replace
    | ApplyApproval
    | IgnoreApproval
    | WriteStatus
    | Conclude
    | FindJob
    | RecordOutcome
    | EndPod
    | EndJob
    | ArmTtl
    | Settle
)
