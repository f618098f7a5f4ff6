"""What to do next, decided from what the operator knows. Pure: the reconciler gathers before and acts after.

Level-triggered: the same view gives the same steps, whatever happened in between, so that a step that failed or whose
process died is simply planned again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from retraining_operator.job import Job
from retraining_operator.outcome import Outcome
from retraining_operator.reason import Reason
from retraining_operator.request import RetrainRequest
from retraining_operator.status import Status, finished, launched, waiting


@dataclass(frozen=True)
class Launch:
    """Create the request's Job."""

    request: RetrainRequest


@dataclass(frozen=True)
class Report:
    """Write the request's status."""

    request: RetrainRequest
    status: Status


@dataclass(frozen=True)
class Conclude:
    """Read how the finished Job ended and store the outcome."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class Miss:
    """Look for a Job that the status names and the view does not hold."""

    request: RetrainRequest


@dataclass(frozen=True)
class ArmTtl:
    """Let Kubernetes delete the Job, now that its outcome is stored."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class Settle:
    """Nothing is left to do for this request."""

    request: RetrainRequest


Step = Launch | Report | Conclude | Miss | ArmTtl | Settle


def plan(requests: Iterable[RetrainRequest], jobs: Mapping[str, Job], max_concurrent: int, now: datetime) -> list[Step]:
    """Plan one step at most for each request, the oldest first.

    Args:
        requests: those that are not settled.
        jobs: by the uid of their request.
        max_concurrent: how many Jobs may run at once.
        now: the time that new conditions carry.
    """
    free = max_concurrent - sum(job.end is None for job in jobs.values())
    steps: list[Step] = []
    for request in sorted(requests, key=lambda request: request.arrival):
        step = next(step_of(request, jobs.get(request.uid), free, max_concurrent, now), None)
        free -= isinstance(step, Launch)
        if step is not None:
            steps.append(step)
    return steps


def step_of(request: RetrainRequest, job: Job | None, free: int, max_concurrent: int, now: datetime) -> Iterator[Step]:
    """Give the next step of one request, if any."""
    if request.finished:
        yield ArmTtl(request, job) if job and job.end and not job.has_ttl else Settle(request)
    elif job and job.end:
        yield Conclude(request, job)
    elif job:
        yield from report(request, launched(request, job, now))
    elif request.malformed:
        yield from report(request, finished(request, Outcome(Reason.INVALID_REQUEST, request.malformed), now))
    elif request.status.get("jobName"):
        yield Miss(request)
    elif request.spec.suspend:
        message = "spec.suspend is true; set it to false to let the Job start."
        yield from report(request, waiting(request, Reason.SUSPENDED, message, now))
    elif free > 0:
        yield Launch(request)
    else:
        message = f"It waits for a place: at most {max_concurrent} retrains run at once (triggers.maxConcurrent)."
        yield from report(request, waiting(request, Reason.QUEUED, message, now))


def report(request: RetrainRequest, status: Status) -> Iterator[Report]:
    """Write a status only where it says something new."""
    if any(request.status.get(field) != value for field, value in status.items()):
        yield Report(request, status)
