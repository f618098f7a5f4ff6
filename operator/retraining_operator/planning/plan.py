"""The plan: which steps to take now, given what is known.

The plan is level-triggered. The same state always leads to the same steps, so a step that failed,
or whose process died, is planned again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple

from retraining_operator.api.admission import Admission, Refuse, Wait
from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.planning.fence import Fence
from retraining_operator.planning.finished import FinishedRun, group_merged_runs
from retraining_operator.planning.request_steps import (
    find_start_deadline,
    plan_admission,
    plan_after_outcome,
    plan_training,
)
from retraining_operator.planning.snapshot import (
    ApprovalState,
    PlanInput,
    build_snapshot,
    count_rollbacks,
    find_start_times,
    is_candidate,
)
from retraining_operator.planning.steps import Replace, Step
from retraining_operator.planning.trigger_policy import admit_all
from retraining_operator.settings import ConcurrencyPolicy, Triggers

NOT_ALLOWED = ConditionReason.REQUEST_NOT_ALLOWED


@dataclass(frozen=True)
class Plan:
    """What to do now.

    Args:
        steps: The steps, at most one per request.
        wake_at: When to plan again even if nothing has changed, UTC; None if that is not needed.
        waiting_reasons: Why requests wait, by their names.
        failures: Why requests could not be planned, by their uids. The others are not affected.
    """

    steps: list[Step]
    wake_at: datetime | None = None
    waiting_reasons: Mapping[str, ConditionReason] = field(default_factory=dict)
    failures: Mapping[str, Exception] = field(default_factory=dict)


class RequestFacts(NamedTuple):
    """What is known about one request beside the request itself."""

    job: Job | None
    """Its Job of the task `train`."""
    approval: ApprovalState
    """What is known of the approval of its challenger."""
    admission: Admission | None
    """The answer of the trigger policy; None if the policy was not asked."""
    merged: Sequence[FinishedRun]
    """The requests that were merged into it."""


def plan(known: PlanInput, triggers: Triggers, now: datetime) -> Plan:
    """Plan at most one step per request, the oldest request first.

    A request that may not run is refused before the trigger policy sees it, so that it takes no
    place and replaces no other.

    Args:
        known: What is known.
        triggers: The settings of the trigger policy.
        now: The present time, UTC. New conditions carry it.

    Returns:
        The plan.
    """
    trainings = known.jobs[Task.TRAIN]
    ordered = sorted(known.requests, key=lambda request: request.arrival)
    busy = known.launching | known.refused
    fence = Fence()
    candidates = [
        request
        for request in ordered
        if fence.run(request, partial(is_candidate, request, trainings), False)
        and request.uid not in busy
    ]
    # A request that has started continues, even if the owner has changed the limits since.
    refusals = {
        request.uid: Refuse(NOT_ALLOWED, known.refusals[request.uid])
        for request in candidates
        if request.uid in known.refusals
    }
    candidates = [request for request in candidates if request.uid not in refusals]
    running_since = find_start_times(ordered, trainings, known.launching, now)
    rollbacks = count_rollbacks(ordered, trainings, known.launching)
    snapshot = build_snapshot(triggers, now, running_since, known.finished_runs, rollbacks)
    admissions: Mapping[str, Admission] = {**refusals, **admit_all(candidates, snapshot, fence)}
    timeout = timedelta(seconds=triggers.start_timeout_seconds)
    merged = group_merged_runs(known.finished_runs)
    steps: list[Step] = []
    for request in ordered:
        facts = RequestFacts(
            trainings.get(request.uid),
            known.find_approval(request),
            admissions.get(request.uid),
            merged.get(request.name, ()),
        )
        steps += fence.run(request, partial(plan_request, request, facts, timeout, now), [])
    waiting = select_waiting(candidates, admissions)
    waits = [wait.until for _, wait in waiting if wait.until]
    queued = [request for request, wait in waiting if wait.reason is ConditionReason.QUEUED]
    replacements = plan_replacements(ordered, trainings, queued, triggers)
    replaced = {step.request.uid for step in replacements}
    return Plan(
        steps=[step for step in steps if step.request.uid not in replaced] + replacements,
        wake_at=min([*find_timeouts(ordered, trainings, timeout, now), *waits], default=None),
        waiting_reasons={request.name: wait.reason for request, wait in waiting},
        failures=fence.failures,
    )


def find_timeouts(
    requests: Iterable[RetrainRequest], jobs: Mapping[str, Job], timeout: timedelta, now: datetime
) -> Iterator[datetime]:
    """Find until when the trainers that have not started may still start.

    Args:
        requests: The requests.
        jobs: The Jobs of the task `train`, by the uid of their request.
        timeout: How long a trainer may take to start; zero for no limit.
        now: The present time, UTC. A step is planned for times that have passed.

    Yields:
        One later time for each, UTC.
    """
    for request in requests:
        job = jobs.get(request.uid)
        until = find_start_deadline(job, timeout) if job and not request.is_finished else None
        if until and until > now:
            yield until


def plan_request(
    request: RetrainRequest, facts: RequestFacts, timeout: timedelta, now: datetime
) -> list[Step]:
    """Plan the next step of one request.

    Args:
        request: The request.
        facts: What is known beside it.
        timeout: How long a trainer may take to start; zero for no limit.
        now: The present time, UTC.

    Returns:
        The step, or an empty list if nothing is to do.
    """
    if request.is_finished:
        steps = plan_after_outcome(request, facts.job, facts.approval, now)
    elif facts.admission:
        steps = plan_admission(request, facts.admission, facts.merged, now)
    else:
        steps = plan_training(request, facts.job, timeout, now)
    return list(islice(steps, 1))


def select_waiting(
    candidates: Iterable[RetrainRequest], admissions: Mapping[str, Admission]
) -> list[tuple[RetrainRequest, Wait]]:
    """Select the requests that wait.

    Args:
        candidates: The requests that could start, oldest first.
        admissions: The answers by uid. A request that could not be planned has none.

    Returns:
        The requests whose answer is `Wait`, with that answer, oldest first.
    """
    waiting = []
    for request in candidates:
        answer = admissions.get(request.uid)
        if isinstance(answer, Wait):
            waiting.append((request, answer))
    return waiting


def plan_replacements(
    requests: Iterable[RetrainRequest],
    jobs: Mapping[str, Job],
    queued: Sequence[RetrainRequest],
    triggers: Triggers,
) -> list[Step]:
    """Plan to end one running Job for each newer request that waits for its place.

    Args:
        requests: The requests, oldest first.
        jobs: The Jobs of the task `train`, by the uid of their request.
        queued: The newer requests, which wait because of the concurrency limit.
        triggers: The settings of the trigger policy.

    Returns:
        The steps, oldest run first. Empty unless the concurrency policy is `Replace`.
    """
    if triggers.concurrency_policy is not ConcurrencyPolicy.REPLACE:
        return []
    running = []
    for request in requests:
        job = jobs.get(request.uid)
        if job is None or request.is_finished or request.is_rollback:
            continue
        if job.end is None and not job.has_outcome:
            running.append((request, job))
    pairs = zip(running, queued, strict=False)
    return [Replace(request, job, by) for (request, job), by in pairs if not job.replaced_by]
