"""The plan: which steps to take now, given what is known.

The plan is level-triggered. The same state always leads to the same steps, so a step that failed,
or whose process died, is planned again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from retraining_operator.api.admission import Admission, Wait
from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.planning.finished import group_merged_runs
from retraining_operator.planning.request_steps import (
    plan_admission,
    plan_after_outcome,
    plan_training,
)
from retraining_operator.planning.snapshot import (
    PlanInput,
    build_snapshot,
    find_start_times,
    is_candidate,
)
from retraining_operator.planning.steps import Replace, Step
from retraining_operator.planning.trigger_policy import admit_all
from retraining_operator.settings import ConcurrencyPolicy, Triggers


@dataclass(frozen=True)
class Plan:
    """What to do now.

    Args:
        steps: The steps, at most one per request.
        wake_at: When to plan again even if nothing has changed, UTC; None if that is not needed.
        waiting_reasons: Why requests wait, by their names.
    """

    steps: list[Step]
    wake_at: datetime | None = None
    waiting_reasons: Mapping[str, ConditionReason] = field(default_factory=dict)


def plan(known: PlanInput, triggers: Triggers, now: datetime) -> Plan:
    """Plan at most one step per request, the oldest request first.

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
    candidates = [
        request
        for request in ordered
        if is_candidate(request, trainings) and request.uid not in busy
    ]
    running_since = find_start_times(ordered, trainings, known.launching, now)
    snapshot = build_snapshot(triggers, now, running_since, known.finished_runs)
    admissions = admit_all(candidates, snapshot)
    merged = group_merged_runs(known.finished_runs)
    steps: list[Step] = []
    for request in ordered:
        job = trainings.get(request.uid)
        if request.is_finished:
            next_steps = plan_after_outcome(request, job, known.find_approval(request), now)
        elif admission := admissions.get(request.uid):
            next_steps = plan_admission(request, admission, merged.get(request.name, ()), now)
        else:
            next_steps = plan_training(request, job, now)
        steps += islice(next_steps, 1)
    waiting = select_waiting(candidates, admissions)
    queued = [request for request, wait in waiting if wait.reason is ConditionReason.QUEUED]
    replacements = plan_replacements(ordered, trainings, queued, triggers)
    replaced = {step.request.uid for step in replacements}
    return Plan(
        steps=[step for step in steps if step.request.uid not in replaced] + replacements,
        wake_at=min((wait.until for _, wait in waiting if wait.until), default=None),
        waiting_reasons={request.name: wait.reason for request, wait in waiting},
    )


def select_waiting(
    candidates: Iterable[RetrainRequest], admissions: Mapping[str, Admission]
) -> list[tuple[RetrainRequest, Wait]]:
    """Select the requests that wait.

    Args:
        candidates: The requests that could start, oldest first.
        admissions: The answer for each of them, by its uid.

    Returns:
        The requests whose answer is `Wait`, with that answer, oldest first.
    """
    waiting = []
    for request in candidates:
        answer = admissions[request.uid]
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
        if job is None or request.is_finished or request.spec.rollback_to is not None:
            continue
        if job.end is None and not job.has_outcome:
            running.append((request, job))
    pairs = zip(running, queued, strict=False)
    return [Replace(request, job, by) for (request, job), by in pairs if not job.replaced_by]
