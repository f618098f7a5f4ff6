"""The control loop: waits for a change of the cache, plans, and starts the steps of the plan."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from retraining_operator.api.reasons import ConditionReason
from retraining_operator.controller.backoff import Backoff
from retraining_operator.controller.executor import Executor
from retraining_operator.controller.pruner import Pruner
from retraining_operator.controller.step_runner import StepRunner, is_informative
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
        approvals: Whether four eyes are needed.
        retention: How many finished requests are kept, and for how long.
        clock: Returns the current time, UTC.
    """

    def __init__(  # noqa: PLR0913  # its dependencies, by keyword
        self,
        *,
        cache: ClusterCache,
        executor: Executor,
        pruner: Pruner,
        write_priority: WritePriority,
        triggers: Triggers,
        approvals: Approvals,
        retention: Retention,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._executor = executor
        self._pruner = pruner
        self._write_priority = write_priority
        self._triggers = triggers
        self._approvals = approvals
        self._retention = retention
        self._clock = clock
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
        self._start_pruning(group, now)
        self._start_marking(group)
        self._waiting_reasons = found.waiting_reasons
        return self._compute_wait(found, yield_seconds, now)

    def _build_plan_input(self) -> PlanInput:
        return PlanInput(
            requests=list(self._cache.requests.values()),
            jobs=self._cache.jobs,
            finished_runs=self._cache.list_finished_runs(),
            launching=self._step_runner.launching_uids(),
            refused=self._select_bypassed_uids(),
            approvals=self._cache.approvals.by_request,
            needs_four_eyes=self._approvals.four_eyes,
        )

    def _compute_wait(self, found: Plan, yield_seconds: float, now: datetime) -> float | None:
        waits = self._backoff.remaining_seconds(self._cache.requests)
        if yield_seconds:
            waits.append(yield_seconds)
        if found.wake_at:
            waits.append(max(MIN_WAIT_SECONDS, (found.wake_at - now).total_seconds()))
        return min(waits, default=None)

    def _select_bypassed_uids(self) -> set[str]:
        """Select requests whose rejected Job must not block others, by their uids.

        Only some of them, because a quota rejects every Job, and then hundreds of requests would be
        tried every half minute.
        """
        bypassed: set[str] = set()
        for uid, request in self._cache.requests.items():
            if len(bypassed) == MAX_BYPASSED_REQUESTS:
                break
            if request.is_refused and self._backoff.is_waiting(request):
                bypassed.add(uid)
        return bypassed

    def _start_pruning(self, group: asyncio.TaskGroup, now: datetime) -> None:
        if self._pruning and not self._pruning.done():
            return
        unfinished = {
            request.name for request in self._cache.requests.values() if not request.is_finished
        }
        if runs := select_prunable_runs(
            self._cache.settled.values(), self._retention, self._triggers, unfinished, now
        ):
            self._pruning = group.create_task(self._pruner.prune(runs))

    def _start_marking(self, group: asyncio.TaskGroup) -> None:
        """Mark the RetrainApprovals that others have created, unless that is in progress."""
        foreign = list(self._cache.approvals.foreign.values())
        if foreign and (self._marking is None or self._marking.done()):
            self._marking = group.create_task(self._executor.approval_keeper.mark_foreign(foreign))
