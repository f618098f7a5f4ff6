"""What to do next, decided from what the operator knows. Pure: the reconciler gathers before and acts after.

Level-triggered: the same view gives the same steps, whatever happened in between, so that a step
that failed or whose process died is simply planned again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from retraining_operator.api import names
from retraining_operator.api.admission import Admission, Allow, Wait
from retraining_operator.api.approval import InvalidApprovalError, read_approval
from retraining_operator.api.conditions import Status, has_changes
from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.status import (
    build_applying_approval_status,
    build_awaiting_approval_status,
    build_finished_status,
    build_launched_status,
    build_not_launched_status,
    build_waiting_status,
    describe_approval_commands,
)
from retraining_operator.contract import Withheld
from retraining_operator.planning.finished import FinishedRun, build_merged_field, group_merged_runs
from retraining_operator.planning.snapshot import build_snapshot, find_start_times, is_candidate
from retraining_operator.planning.steps import (
    ApplyApproval,
    ArmTtl,
    Conclude,
    EndJob,
    EndPod,
    FindJob,
    IgnoreApproval,
    Launch,
    RecordOutcome,
    Replace,
    Settle,
    Step,
    WriteStatus,
)
from retraining_operator.planning.trigger_policy import admit_all
from retraining_operator.settings import ConcurrencyPolicy, Triggers

Jobs = Mapping[Task, Mapping[str, Job]]


@dataclass(frozen=True)
class PlanInput:
    """What is known when a plan is made."""

    requests: Collection[RetrainRequest]
    """Those that are not settled."""
    jobs: Jobs
    """Of each task, by the uid of their request."""
    finished_runs: Sequence[FinishedRun] = ()
    """What is kept of finished requests."""
    launching: Set[str] = frozenset()
    """Uids of those that are being launched at this moment, though nothing shows it yet."""
    refused: Set[str] = frozenset()
    """Uids of those whose Job was refused a moment ago: until they are tried again, others have their places."""


@dataclass(frozen=True)
class Plan:
    """What to do now, and when to look again though nothing has changed."""

    steps: list[Step]
    wake_at: datetime | None = None
    held: Mapping[str, ConditionReason] = field(default_factory=dict)
    """Why requests wait, by their names."""


def plan(gathered: PlanInput, triggers: Triggers, now: datetime) -> Plan:
    """Plan one step at most for each request, the oldest first.

    Args:
        gathered: what is known.
        triggers: the policy; it is asked once for each request that could start.
        now: the time that new conditions carry.
    """
    retrains, decisions = gathered.jobs[Task.TRAIN], gathered.jobs[Task.DECIDE]
    ordered = sorted(gathered.requests, key=lambda request: request.arrival)
    candidates = [
        request
        for request in ordered
        if is_candidate(request, retrains)
        and request.uid not in gathered.launching | gathered.refused
    ]
    found = build_snapshot(
        triggers,
        now,
        find_start_times(ordered, retrains, gathered.launching, now),
        gathered.finished_runs,
    )
    admissions = admit_all(candidates, found)
    taken = group_merged_runs(gathered.finished_runs)
    steps: list[Step] = []
    for request in ordered:
        job, decision = retrains.get(request.uid), decisions.get(request.uid)
        if request.is_finished:
            chosen = plan_after_outcome(request, job, decision, now)
        elif admission := admissions.get(request.uid):
            chosen = plan_admission(request, admission, taken.get(request.name, ()), now)
        else:
            chosen = plan_training(request, job, now)
        steps += islice(chosen, 1)
    waits = [
        (request, answer)
        for request in candidates
        if isinstance(answer := admissions[request.uid], Wait)
    ]
    replaced = plan_replacements(ordered, retrains, waits, triggers)
    ending = {step.request.uid for step in replaced}
    return Plan(
        steps=[step for step in steps if step.request.uid not in ending] + replaced,
        wake_at=min((wait.until for _, wait in waits if wait.until), default=None),
        held={request.name: wait.reason for request, wait in waits},
    )


def plan_replacements(
    requests: Iterable[RetrainRequest],
    jobs: Mapping[str, Job],
    waits: Sequence[tuple[RetrainRequest, Wait]],
    triggers: Triggers,
) -> list[Step]:
    """End as many running retrains, the oldest first, as newer requests wait for their places."""
    if triggers.concurrency_policy is not ConcurrencyPolicy.REPLACE:
        return []
    replacing = [request for request, wait in waits if wait.reason is ConditionReason.QUEUED]
    running = [
        (request, job)
        for request in requests
        if (job := jobs.get(request.uid))
        and job.end is None
        and not (job.has_outcome or request.is_finished)
        and request.spec.rollback_to is None
    ]
    pairs = zip(running, replacing, strict=False)
    return [Replace(request, job, by) for (request, job), by in pairs if not job.replaced_by]


def plan_admission(
    request: RetrainRequest, admission: Admission, taken: Sequence[FinishedRun], now: datetime
) -> Iterator[Step]:
    """Give the steps of a request that could start, the next one first."""
    if isinstance(admission, Allow):
        yield Launch(request)
    elif isinstance(admission, Wait):
        yield from plan_status(
            request,
            build_waiting_status(request, admission.reason, admission.message, now)
            | build_merged_field(taken),
        )
    else:
        yield from plan_status(request, build_not_launched_status(request, admission, now))


def plan_training(request: RetrainRequest, job: Job | None, now: datetime) -> Iterator[Step]:
    """Give the steps towards the outcome of a request that has begun, the next one first."""
    if job and (job.end or job.has_outcome):
        yield Conclude(request, job)
    elif job:
        yield from plan_end_of_pod(request, job)
        yield from plan_status(request, build_launched_status(request, job, now))
    elif request.malformed:
        yield from plan_status(
            request,
            build_finished_status(
                request, JobOutcome(ConditionReason.INVALID_REQUEST, request.malformed), now
            ),
        )
    elif request.is_launching:
        yield Launch(request)
    elif request.status.get("jobName"):
        yield FindJob(request, Task.TRAIN)


def plan_after_outcome(
    request: RetrainRequest, job: Job | None, decision: Job | None, now: datetime
) -> Iterator[Step]:
    """Give the steps of a request whose outcome is stored, the next one first."""
    if request.is_awaiting_approval:
        yield from plan_approval(request, decision, now)
    else:
        yield from plan_ignored_approval(request)
    concluded = [done for done in (job, None if request.is_awaiting_approval else decision) if done]
    for done in concluded:
        if done.end is None and not done.is_ended_by_operator:
            yield EndJob(request, done)
    if not request.is_recorded:
        yield RecordOutcome(request)
        return
    for done in concluded:
        if done.end and not done.has_ttl:
            yield ArmTtl(request, done)
    if not request.is_awaiting_approval and all(done.end for done in concluded):
        yield Settle(request)


def plan_end_of_pod(request: RetrainRequest, job: Job) -> Iterator[EndPod]:
    """Build the step that ends what a failed trainer has left of its pod."""
    trainer = job.ended_trainer
    if trainer and not trainer.succeeded and not trainer.is_deleted:
        yield EndPod(request, trainer)


def plan_approval(request: RetrainRequest, job: Job | None, now: datetime) -> Iterator[Step]:
    """Give the steps of a request whose challenger awaits a decision; the first that its annotation gives counts."""
    if job and (job.end or job.has_outcome):
        yield Conclude(request, job)
    elif job:
        yield from plan_end_of_pod(request, job)
        yield from plan_status(request, build_applying_approval_status(request, job, now))
    elif request.status.get("approvalJobName"):
        yield FindJob(request, Task.DECIDE)
    elif request.approval_text is None:
        yield from plan_status(
            request,
            build_awaiting_approval_status(
                request, Withheld.AWAITING_DECISION, describe_approval_commands(request), now
            ),
        )
    else:
        try:
            approval = read_approval(request.approval_text)
        except InvalidApprovalError as error:
            yield from plan_status(
                request,
                build_awaiting_approval_status(
                    request, Withheld.AWAITING_DECISION, str(error), now
                ),
            )
            return
        if request.spec.suspend:
            message = f'spec.suspend is true; set it to false to let the decision "{approval}" take effect.'
            yield from plan_status(
                request,
                build_awaiting_approval_status(request, Withheld.AWAITING_DECISION, message, now),
            )
        else:
            yield ApplyApproval(request, approval)


def plan_ignored_approval(request: RetrainRequest) -> Iterator[IgnoreApproval]:
    """Say once that an annotation changes nothing: the decision is taken, or there is none to take."""
    text = request.approval_text
    if text is None or text == request.status.get("ignoredApproval"):
        return
    with suppress(InvalidApprovalError):
        if read_approval(text) == request.given_approval:
            return
    why = (
        f'it was decided "{request.given_approval}" before'
        if request.given_approval
        else "no challenger awaits a decision"
    )
    yield IgnoreApproval(
        request, f"The annotation {names.ANNOTATION_APPROVAL} ({text!r}) changes nothing: {why}."
    )


def plan_status(request: RetrainRequest, status: Status) -> Iterator[WriteStatus]:
    """Write a status only where it says something new."""
    if has_changes(request, status):
        yield WriteStatus(request, status)
