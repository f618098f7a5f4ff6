"""What to do next, decided from what the operator knows. Pure: the reconciler gathers before and acts after.

Level-triggered: the same view gives the same steps, whatever happened in between, so that a step that failed or whose
process died is simply planned again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from retraining_operator import names
from retraining_operator.conditions import Status
from retraining_operator.contract import Withheld
from retraining_operator.decision import NoRuling, Ruling, read_ruling
from retraining_operator.job import Job
from retraining_operator.names import Task
from retraining_operator.outcome import Outcome
from retraining_operator.reason import Reason
from retraining_operator.request import RetrainRequest
from retraining_operator.status import awaiting, deciding, finished, invitation, launched, waiting


@dataclass(frozen=True)
class Launch:
    """Create the request's Job."""

    request: RetrainRequest


@dataclass(frozen=True)
class Decide:
    """Create the Job that carries a person's decision out."""

    request: RetrainRequest
    ruling: Ruling


@dataclass(frozen=True)
class Ignore:
    """Say that a decision came when none was awaited."""

    request: RetrainRequest
    message: str


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
    task: Task


@dataclass(frozen=True)
class ArmTtl:
    """Let Kubernetes delete the Job, now that its outcome is stored."""

    request: RetrainRequest
    job: Job


@dataclass(frozen=True)
class Settle:
    """Nothing is left to do for this request."""

    request: RetrainRequest


Step = Launch | Decide | Ignore | Report | Conclude | Miss | ArmTtl | Settle
Jobs = Mapping[Task, Mapping[str, Job]]


def plan(requests: Iterable[RetrainRequest], jobs: Jobs, max_concurrent: int, now: datetime) -> list[Step]:
    """Plan one step at most for each request, the oldest first.

    Args:
        requests: those that are not settled.
        jobs: of each task, by the uid of their request.
        max_concurrent: how many retrains may run at once; a decision takes no place.
        now: the time that new conditions carry.
    """
    retrains, decisions = jobs[Task.TRAIN], jobs[Task.DECIDE]
    free = max_concurrent - sum(job.end is None for job in retrains.values())
    steps: list[Step] = []
    for request in sorted(requests, key=lambda request: request.arrival):
        job, decision = retrains.get(request.uid), decisions.get(request.uid)
        candidates = (
            after_verdict(request, job, decision, now)
            if request.finished
            else before_verdict(request, job, free, max_concurrent, now)
        )
        step = next(candidates, None)
        free -= isinstance(step, Launch)
        if step is not None:
            steps.append(step)
    return steps


def before_verdict(
    request: RetrainRequest, job: Job | None, free: int, max_concurrent: int, now: datetime
) -> Iterator[Step]:
    """Give the steps towards a request's outcome, the next one first."""
    if job and job.end:
        yield Conclude(request, job)
    elif job:
        yield from report(request, launched(request, job, now))
    elif request.malformed:
        yield from report(request, finished(request, Outcome(Reason.INVALID_REQUEST, request.malformed), now))
    elif request.status.get("jobName"):
        yield Miss(request, Task.TRAIN)
    elif request.spec.suspend:
        message = "spec.suspend is true; set it to false to let the Job start."
        yield from report(request, waiting(request, Reason.SUSPENDED, message, now))
    elif free > 0:
        yield Launch(request)
    else:
        message = f"It waits for a place: at most {max_concurrent} retrains run at once (triggers.maxConcurrent)."
        yield from report(request, waiting(request, Reason.QUEUED, message, now))


def after_verdict(request: RetrainRequest, job: Job | None, decision: Job | None, now: datetime) -> Iterator[Step]:
    """Give the steps of a request whose outcome is stored, the next one first."""
    if request.awaiting:
        yield from towards_decision(request, decision, now)
    else:
        yield from remark(request)
    for done in (job, None if request.awaiting else decision):
        if done and done.end and not done.has_ttl:
            yield ArmTtl(request, done)
    if not request.awaiting:
        yield Settle(request)


def towards_decision(request: RetrainRequest, job: Job | None, now: datetime) -> Iterator[Step]:
    """Give the steps of a request whose challenger awaits a decision; the first that its annotation gives counts."""
    if job and job.end:
        yield Conclude(request, job)
    elif job:
        yield from report(request, deciding(request, job, now))
    elif request.status.get("decisionJobName"):
        yield Miss(request, Task.DECIDE)
    elif request.decision is None:
        yield from report(request, awaiting(request, Withheld.AWAITING_DECISION, invitation(request), now))
    else:
        try:
            ruling = read_ruling(request.decision)
        except NoRuling as error:
            yield from report(request, awaiting(request, Withheld.AWAITING_DECISION, str(error), now))
            return
        if request.spec.suspend:
            message = f'spec.suspend is true; set it to false to let the decision "{ruling}" take effect.'
            yield from report(request, awaiting(request, Withheld.AWAITING_DECISION, message, now))
        else:
            yield Decide(request, ruling)


def remark(request: RetrainRequest) -> Iterator[Ignore]:
    """Say once that an annotation changes nothing: the decision is taken, or there is none to take."""
    text = request.decision
    if text is None or text == request.status.get("ignoredDecision"):
        return
    with suppress(NoRuling):
        if read_ruling(text) == request.decided:
            return
    why = f'it was decided "{request.decided}" before' if request.decided else "no challenger awaits a decision"
    yield Ignore(request, f"The annotation {names.ANNOTATION_DECISION} ({text!r}) changes nothing: {why}.")


def report(request: RetrainRequest, status: Status) -> Iterator[Report]:
    """Write a status only where it says something new."""
    if any(request.status.get(field) != value for field, value in status.items()):
        yield Report(request, status)
