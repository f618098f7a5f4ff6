"""The loop between what is known and what is done: wait for a change, plan, let the steps be carried out.

Each request has one step under way at most, and no step waits for another's: a hanging call holds
up its own request alone. A step that fails is planned again after a pause.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice

from retraining_operator.api import names
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest
from retraining_operator.controller.backoff import REFUSED_SECONDS, Backoff
from retraining_operator.controller.executor import Executor, RetryLaterError
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import (
    ApiServerUnavailableError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
)
from retraining_operator.observability.gauges import WorkCounts
from retraining_operator.planning.plan import PlanInput, plan
from retraining_operator.planning.retention import select_prunable_runs
from retraining_operator.planning.steps import (
    Conclude,
    Launch,
    RecordOutcome,
    Settle,
    Step,
    WriteStatus,
)
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Retention, Triggers
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

PARALLEL_STEPS = 16
"""A burst of requests gets its Jobs in parallel, and the API server is not flooded."""
REFUSED_ASIDE = 8
"""How many requests whose Job was refused may let others pass."""
RESYNC_SECONDS = 300
"""How long a change may stay unknown that the watch has missed."""
PLANNING_SHARE = 0.1
"""The most of its time that the loop spends on plans: with a thousand requests that wait, one takes 40 ms."""


class Reconciler:
    """Has carried out what `plan` decides."""

    def __init__(  # noqa: PLR0913  # all that it works with, by keyword
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        executor: Executor,
        write_priority: WritePriority,
        triggers: Triggers,
        retention: Retention,
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._executor = executor
        self._write_priority = write_priority
        self._triggers = triggers
        self._retention = retention
        self._clock = clock
        self._places = asyncio.Semaphore(PARALLEL_STEPS)
        self._aside = asyncio.Semaphore(PARALLEL_STEPS)
        """Places for steps that may wait for the database: no launch waits behind them."""
        self._telling = asyncio.Semaphore(PARALLEL_STEPS)
        """Places for steps that only tell: no launch waits behind hundreds of them."""
        self._busy: dict[str, Step] = {}
        """Steps under way, by the uid of their request."""
        self._held: Mapping[str, ConditionReason] = {}
        """Why requests wait, by their names, as of the last plan."""
        self._backoff = Backoff()
        self._pruning: asyncio.Task[None] | None = None
        self.planned_at = time.monotonic()
        """When the loop last came by."""

    async def seed(self) -> None:
        """Fill the view before anything is decided: what ran before this process started counts.

        Raises:
            KubeError: where the API server is away or the CRD is not there.
        """
        requests, jobs = await self.resync()
        logger.info("Found %d RetrainRequests and %d Jobs.", requests, jobs)

    async def resync(self) -> tuple[int, int]:
        """Set the view right by a list, whatever the watch has missed; give the numbers of requests and Jobs.

        What is deleted while the list is on its way may come back into the view until the next one:
            to act on it the API server answers that it is gone.

        Raises:
            KubeError: where the API server is away or the CRD is not there.
        """
        cache = self._cache
        jobs, pods, refusals = await asyncio.gather(
            self._cluster.list_jobs(), self._cluster.list_pods(), self._refusals()
        )
        for body in jobs:
            cache.see_job(body)
        found, version = set[str](), 0
        async for page in self._cluster.list_requests():
            for body in page:
                cache.see_request(body)
            self._settle()
            found |= {body["metadata"]["uid"] for body in page}
            version = page.resource_version
        for body in pods:
            cache.watch_health.exists(names.PODS, int(body["metadata"]["resourceVersion"]))
            cache.see_pod(body)
        for body in refusals:
            cache.see_refusal(body)
        cache.keep_requests(found, version)
        cache.keep_jobs({body["metadata"]["uid"] for body in jobs}, jobs.resource_version)
        return len(found), len(jobs)

    async def _refusals(self) -> list[Manifest]:
        """List the refused pods. Without the right to do so, everything else still works."""
        try:
            return await self._cluster.list_refusals()
        except ForbiddenError as error:
            logger.warning(
                "Why pods are refused is not shown, because the Events cannot be listed. Let the operator's Role list "
                "and watch events of the group events.k8s.io. %s",
                error,
            )
            return []

    def _settle(self) -> None:
        """Keep no more than is needed of what nothing is left to do for."""
        cache = self._cache
        found = plan(
            PlanInput(list(cache.requests.values()), cache.jobs),
            self._triggers,
            self._clock(),
        )
        for step in found.steps:
            if isinstance(step, Settle):
                cache.settle(step.request)

    async def run(self) -> None:
        """Plan at each change, for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                began = time.monotonic()
                self._cache.changed.clear()
                timeout = self.dispatch(group)
                self.planned_at = time.monotonic()
                await asyncio.sleep((self.planned_at - began) * (1 / PLANNING_SHARE - 1))
                try:
                    async with asyncio.timeout(
                        timeout
                    ):  # wait_for would swallow a stop that comes with a change
                        await self._cache.changed.wait()
                except TimeoutError:
                    logger.debug("Looking again at what waits for its time.")

    def counts(self) -> WorkCounts:
        """Count the requests by state, as they are now."""
        return self._cache.counts(self._held)

    def dispatch(self, group: asyncio.TaskGroup) -> float | None:
        """Plan once and start the steps; give in how many seconds to look again, None for not before a change."""
        cache, now = self._cache, self._clock()
        launching = {uid for uid, step in self._busy.items() if isinstance(step, Launch)}
        plan_input = PlanInput(
            list(cache.requests.values()), cache.jobs, cache.past(), launching, self._set_aside()
        )
        found = plan(plan_input, self._triggers, now)
        give_way = self._write_priority.wait_seconds()
        for step in found.steps:
            uid = step.request.uid
            if isinstance(step, Settle):
                cache.settle(step.request)
            elif not (
                uid in self._busy
                or self._backoff.hold(step.request)
                or (give_way and only_tells(step))
            ):
                self._busy[uid] = step
                group.create_task(self._attempt(step))
        self._prune(group, now)
        self._held = found.held
        waits = [*self._backoff.seconds_left(cache.requests)]
        if give_way:
            waits.append(give_way)
        if found.wake_at:
            waits.append(max(0.1, (found.wake_at - now).total_seconds()))
        return min(waits, default=None)

    def _set_aside(self) -> set[str]:
        """Return the uids of requests whose Job was refused a moment ago: one that is always refused blocks no other.

        Not of all: a quota refuses every Job, and then hundreds of requests would be tried every
            half minute.
        """
        refused = (
            uid
            for uid, request in self._cache.requests.items()
            if request.is_refused and self._backoff.hold(request)
        )
        return set(islice(refused, REFUSED_ASIDE))

    async def _attempt(self, step: Step) -> None:
        """Carry out a step; where it fails, its request has a pause."""
        request, pauses = step.request, self._backoff
        try:
            await self._carry_out(step)
            pauses.end(request)
        except ConflictError:
            pauses.stale(request)
            logger.debug(
                "%s: it has changed meanwhile; the watch brings the newer one.", request.key
            )
        except NotFoundError:
            pauses.end(request)
            self._cache.forget_request(request.uid)
        except ApiServerUnavailableError as error:
            logger.warning(
                "%s: %s Trying again in %.1f s.", request.key, error, pauses.away(request)
            )
        except RetryLaterError as error:
            pauses.wait(request, error.pause_seconds)
        except ForbiddenError as error:
            pauses.wait(request, REFUSED_SECONDS)
            logger.warning("%s: the API server refused it for now: %s", request.key, error)
        except Exception:  # one request must not end what is done for all the others
            pauses.wait(request, REFUSED_SECONDS)
            logger.exception(
                "%s: the step %s failed; this is a fault of the operator.",
                request.key,
                type(step).__name__,
            )
        finally:
            del self._busy[request.uid]
            self._cache.changed.set()

    async def _carry_out(self, step: Step) -> None:
        """Carry out a step once it has a place; one that only tells is planned anew where something else goes first."""
        if isinstance(step, Launch):
            with self._write_priority.first():
                async with self._places:
                    await self._executor.carry_out(step)
        elif only_tells(step):
            async with self._telling:
                if not self._write_priority.wait_seconds():
                    await self._executor.carry_out(step)
        else:
            async with self._aside if isinstance(step, Conclude | RecordOutcome) else self._places:
                await self._executor.carry_out(step)

    def _prune(self, group: asyncio.TaskGroup, now: datetime) -> None:
        """Start to delete what is kept no longer."""
        if self._pruning and not self._pruning.done():
            return
        cache = self._cache
        busy = {request.name for request in cache.requests.values() if not request.is_finished}
        if chosen := select_prunable_runs(
            cache.settled.values(), self._retention, self._triggers, busy, now
        ):
            self._pruning = group.create_task(self._executor.prune(chosen))


def only_tells(step: Step) -> bool:
    """Tell whether a step changes nothing but what is said of a request that goes on."""
    return isinstance(step, WriteStatus) and not step.is_final


async def keep_resyncing(reconciler: Reconciler, every_seconds: float = RESYNC_SECONDS) -> None:
    """Set the view right every few minutes, for ever."""
    while True:
        await asyncio.sleep(every_seconds)
        try:
            await reconciler.resync()
        except KubeError as error:
            logger.warning(
                "The cluster could not be listed: %s The next try is in %.0f s.",
                error,
                every_seconds,
            )


async def seed_until_ready(reconciler: Reconciler, pause_seconds: float = 2.0) -> None:
    """Seed, however long the API server or the CRD takes to be there."""
    while True:
        try:
            return await reconciler.seed()
        except NotFoundError:
            logger.warning(
                "The CRD of RetrainRequests is not installed; apply crds/retrainrequests.yaml. Waiting for it."
            )
        except KubeError as error:
            logger.warning("%s Trying again in %.0f s.", error, pause_seconds)
        await asyncio.sleep(pause_seconds)
