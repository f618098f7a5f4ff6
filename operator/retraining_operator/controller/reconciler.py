"""The control loop: waits for a change of the cache, plans, and starts the steps of the plan."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.request_limits import RequestLimits, find_refusal
from retraining_operator.controller.backoff import Backoff
from retraining_operator.controller.executor import Executor
from retraining_operator.controller.problem_reports import (
    build_problem_condition,
    report_defect,
    run_side_task,
)
from retraining_operator.controller.pruner import Pruner
from retraining_operator.controller.step_runner import StepRunner, is_informative
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.observability.gauges import WorkCounts
from retraining_operator.planning.plan import Plan, plan
from retraining_operator.planning.retention import select_prunable_runs
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import Settle
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Approvals, Retention, Triggers
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

MAX_BYPASSED_REQUESTS = 8
"""How many requests whose Job was rejected release their place to others."""
PLANNING_SHARE = 0.1
"""Maximum share of its time that the loop plans. A plan of 1,000 waiting requests takes 40 ms."""
UNJUDGED = "The operator could not compare it with the limits because of a defect. See its log."
MIN_WAIT_SECONDS = 0.1
"""Minimum wait for the next timed step."""


class Reconciler:
    """Runs the control loop.

    Args:
        cache: The watched objects.
        executor: Carries out the steps.
        pruner: Deletes finished requests.
        write_priority: Launches go before writes that only inform.
        triggers: The trigger policy.
        limits: What a request may ask for.
        approvals: Whether four eyes are needed.
        retention: How many finished requests are kept, and for how long.
        clock: Returns the current time, UTC.
        event_recorder: Writes an Event for each ignored object; None to write none.
    """

    def __init__(  # noqa: PLR0913  # its dependencies, by keyword
        self,
        *,
        cache: ClusterCache,
        executor: Executor,
        pruner: Pruner,
        write_priority: WritePriority,
        triggers: Triggers,
        limits: RequestLimits,
        approvals: Approvals,
        retention: Retention,
        clock: Callable[[], datetime],
        event_recorder: EventRecorder | None = None,
    ) -> None:
        self._cache = cache
        self._executor = executor
        self._event_recorder = event_recorder
        self._pruner = pruner
        self._write_priority = write_priority
        self._triggers = triggers
        self._limits = limits
        self._approvals = approvals
        self._retention = retention
        self._clock = clock
        self._judged: dict[str, str | None] = {}
        """Why unfinished requests may not run, by their uids; None for those that may."""
        self._backoff = Backoff()
        self._step_runner = StepRunner(
            executor=executor, cache=cache, write_priority=write_priority, backoff=self._backoff
        )
        self._waiting_reasons: Mapping[str, ConditionReason] = {}
        """Why requests wait, by their names, as of the last plan."""
        self._pruning: asyncio.Task[None] | None = None
        self._marking: asyncio.Task[None] | None = None
        self.planned_at = time.monotonic()
        """When the loop last planned, by the monotonic clock in seconds."""

    async def run(self) -> None:
        """Plan after each change until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                began = time.monotonic()
                self._cache.changed.clear()
                timeout = self.dispatch(group)
                self.planned_at = time.monotonic()
                await asyncio.sleep((self.planned_at - began) * (1 / PLANNING_SHARE - 1))
                try:
                    # wait_for would swallow a cancellation that comes together with a change
                    async with asyncio.timeout(timeout):
                        await self._cache.changed.wait()
                except TimeoutError:
                    logger.debug("Planning again for a timed step.")

    def count_work(self) -> WorkCounts:
        """Count the requests by state."""
        return self._cache.count_work(self._waiting_reasons)

    def dispatch(self, group: asyncio.TaskGroup) -> float | None:
        """Plan once and start the due steps.

        Args:
            group: The task group to run the steps in.

        Returns:
            The seconds until the next timed step, or None if only a change can wake the loop.
        """
        now = self._clock()
        found = plan(self._build_plan_input(), self._triggers, now)
        yield_seconds = self._write_priority.compute_wait()
        for step in found.steps:
            if isinstance(step, Settle):
                self._cache.settle(step.request)
            elif not (
                self._step_runner.is_running(step.request.uid)
                or self._backoff.is_waiting(step.request)
                or (yield_seconds and is_informative(step))
            ):
                self._step_runner.start(group, step)
        self._report_problems(group, found)
        self._start_pruning(group, now)
        self._start_marking(group)
        self._waiting_reasons = found.waiting_reasons
        return self._compute_wait(found, yield_seconds, now)

    def _build_plan_input(self) -> PlanInput:
        return PlanInput(
            requests=list(self._cache.requests.values()),
            jobs=self._cache.own_jobs.select(),
            finished_runs=self._cache.list_finished_runs(),
            launching=self._step_runner.launching_uids(),
            refused=self._select_bypassed_uids(),
            refusals=self._find_refusals(),
            approvals=self._cache.approvals.by_request,
            needs_four_eyes=self._approvals.four_eyes,
        )

    def _find_refusals(self) -> dict[str, str]:
        """Find the unfinished requests that ask for more than they may, by their uids.

        What a request asks for never changes, so each is judged once.
        """
        judged: dict[str, str | None] = {}
        for uid, request in self._cache.requests.items():
            if uid in self._judged:
                judged[uid] = self._judged[uid]
            elif not request.is_finished:
                judged[uid] = self._judge(request)
        self._judged = judged
        return {uid: problem for uid, problem in judged.items() if problem}

    def _judge(self, request: RetrainRequest) -> str | None:
        """Find out why a request may not run. One that cannot be judged is refused."""
        try:
            return find_refusal(request, self._limits)
        except Exception as error:  # noqa: BLE001  # a defect must not stop the others
            report_defect(self._cache.problems, request, "comparing it with the limits", error)
            return UNJUDGED

    def _compute_wait(self, found: Plan, yield_seconds: float, now: datetime) -> float | None:
        waits = self._backoff.remaining_seconds(self._cache.requests)
        if yield_seconds:
            waits.append(yield_seconds)
        if found.wake_at:
            waits.append(max(MIN_WAIT_SECONDS, (found.wake_at - now).total_seconds()))
        return min(waits, default=None)

    def _select_bypassed_uids(self) -> set[str]:
        """Select requests whose rejected Job or defect must not block others, by their uids.

        Only some of them, because a quota rejects every Job, and then hundreds of requests would be
        tried every half minute.
        """
        bypassed: set[str] = set()
        for uid, request in self._cache.requests.items():
            if len(bypassed) == MAX_BYPASSED_REQUESTS:
                break
            is_stuck = request.is_refused or self._step_runner.has_defect(uid)
            if is_stuck and self._backoff.is_waiting(request):
                bypassed.add(uid)
        return bypassed

    def _report_problems(self, group: asyncio.TaskGroup, found: Plan) -> None:
        """Report requests that could not be planned, and objects that are ignored."""
        problems, requests = self._cache.problems, self._cache.requests
        for uid, error in found.failures.items():
            if request := requests.get(uid):
                report_defect(problems, request, "planning it", error)
        self._cache.own_jobs.report_foreign(problems)
        for report in problems.take_events():
            known = requests.get(report.request_uid)
            if known and self._event_recorder:
                condition = build_problem_condition(report)
                work = self._event_recorder.record(known, condition)
                group.create_task(run_side_task(problems, "Writing an Event", work))

    def _start_pruning(self, group: asyncio.TaskGroup, now: datetime) -> None:
        if self._pruning and not self._pruning.done():
            return
        unfinished = {
            request.name for request in self._cache.requests.values() if not request.is_finished
        }
        if runs := select_prunable_runs(
            self._cache.settled.values(), self._retention, self._triggers, unfinished, now
        ):
            work = self._pruner.prune(runs)
            self._pruning = group.create_task(
                run_side_task(self._cache.problems, "Deleting finished requests", work)
            )

    def _start_marking(self, group: asyncio.TaskGroup) -> None:
        """Mark the RetrainApprovals that others have created, unless that is in progress."""
        foreign = list(self._cache.approvals.foreign.values())
        if foreign and (self._marking is None or self._marking.done()):
            work = self._executor.approval_keeper.mark_foreign(foreign)
            self._marking = group.create_task(
                run_side_task(self._cache.problems, "Marking RetrainApprovals of others", work)
            )
