"""The loop between what is known and what is done: wait for a change, plan, carry the steps out.

One loop, one pass at a time: the concurrency limit needs no lock. A step that fails is planned again after a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from retraining_operator.cluster import (
    JOBS,
    AlreadyExists,
    Cluster,
    ClusterAway,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    Refused,
)
from retraining_operator.conditions import Status, news
from retraining_operator.context import Context
from retraining_operator.decision import Ruling
from retraining_operator.events import Narrator
from retraining_operator.job import owner_uid
from retraining_operator.manifest import ImpossibleRequest, build_job
from retraining_operator.names import Task
from retraining_operator.outcome import Outcome, read_outcome
from retraining_operator.plan import ArmTtl, Conclude, Decide, Ignore, Launch, Miss, Report, Settle, Step, plan
from retraining_operator.reason import Reason
from retraining_operator.request import RetrainRequest
from retraining_operator.status import awaiting, deleted, ended, waiting

logger = logging.getLogger(__name__)

PARALLEL_STEPS = 16
"""A burst of requests gets its Jobs in parallel, and one hanging call does not hold up the rest."""
PAUSE_SECONDS = (0.5, 1, 2, 5, 10)
"""How long to wait after the first, second, ... pass in a row in which the API server was away."""
REFUSED_PAUSE_SECONDS = 30
"""How long to wait before asking again for what a quota or a missing right has refused."""


class Reconciler:
    """Carries out what `plan` decides."""

    def __init__(self, context: Context, cluster: Cluster, narrator: Narrator, clock: Callable[[], datetime]) -> None:
        self._settings = context.settings
        self._view = context.view
        self._metrics = context.metrics
        self._cluster = cluster
        self._narrator = narrator
        self._clock = clock
        self._places = asyncio.Semaphore(PARALLEL_STEPS)

    async def seed(self) -> None:
        """Fill the view before anything is decided: what ran before this process started counts.

        Raises:
            ClusterError: where the API server is away or the CRD is not there.
        """
        requests, jobs = await asyncio.gather(self._cluster.list_requests(), self._cluster.list_jobs())
        for body in jobs:
            self._view.see_job(body)
        for body in requests:
            self._view.see_request(body)
        self._metrics.seed(self._view.requests.values())
        logger.info("Found %d RetrainRequests and %d Jobs.", len(requests), len(jobs))

    async def run(self) -> None:
        """Pass after pass, for ever."""
        failures = 0
        while True:
            pause = await self.reconcile()
            failures = failures + 1 if pause else 0
            timeout = min(pause, PAUSE_SECONDS[min(failures, len(PAUSE_SECONDS)) - 1]) if pause else None
            try:
                await asyncio.wait_for(self._view.changed.wait(), timeout)
            except TimeoutError:
                logger.debug("Trying again what failed before.")

    async def reconcile(self) -> float:
        """Make one pass; give the longest time to wait before what failed is tried again, 0 where nothing did."""
        self._view.changed.clear()
        view = self._view
        steps = plan(view.requests.values(), view.jobs, self._settings.triggers.max_concurrent, self._clock())
        pauses = await asyncio.gather(*(self._attempt(step) for step in steps))
        self._metrics.standing(self._view)
        return max(pauses, default=0.0)

    async def _attempt(self, step: Step) -> float:
        request = step.request
        try:
            async with self._places:
                await self._act(step)
        except Conflict:
            return 0.0  # it has changed meanwhile: the watch brings the newer one, and with it the next pass
        except Gone:
            self._view.forget_request(request.uid)
        except ClusterAway as error:
            logger.warning("%s: %s It is tried again.", request.key, error)
            return PAUSE_SECONDS[-1]
        except Forbidden as error:
            logger.warning("%s: the API server refused it for now: %s", request.key, error)
            return REFUSED_PAUSE_SECONDS
        return 0.0

    async def _act(self, step: Step) -> None:
        match step:
            case Launch(request):
                await self._launch(request)
            case Decide(request, ruling):
                await self._launch(request, ruling)
            case Ignore(request, message):
                await self._ignore(request, message)
            case Report(request, status):
                await self._write(request, status)
            case Conclude(request, job):
                for pod in await self._cluster.list_pods(request.uid):  # the watch may lag behind the Job's
                    self._view.see_pod(pod)
                outcome = read_outcome(job, self._view.attempts.get(request.uid, {}).values())
                await self._write(request, ended(request, job.task, outcome, self._clock(), job))
                if job.task is Task.TRAIN:
                    self._metrics.run_finished(outcome, job)
                else:
                    self._metrics.decision_finished(outcome)
            case Miss(request, task):
                await self._miss(request, task)
            case ArmTtl(_, job):
                seconds = self._settings.job.ttl_seconds(succeeded=job.end == "Complete")
                self._view.see_job(await self._cluster.arm_ttl(job.name, seconds))
            case Settle(request):
                self._view.settle(request)

    async def _launch(self, request: RetrainRequest, ruling: Ruling | None = None) -> None:
        """Create the request's Job for a task; a Job of that name that is the request's own is the one we wanted."""
        task = Task.DECIDE if ruling else Task.TRAIN
        try:
            manifest = build_job(request, self._settings, ruling)
            body = await self._cluster.create(JOBS, manifest)
        except ImpossibleRequest as error:
            await self._end(request, task, Reason.INVALID_REQUEST, str(error))
        except AlreadyExists:
            await self._adopt(request, task, manifest["metadata"]["name"])
        except Forbidden as error:
            message = f"The API server does not let the Job be created at present: {error}"
            hold = waiting if task is Task.TRAIN else awaiting
            await self._write(request, hold(request, Reason.JOB_REFUSED_FOR_NOW, message, self._clock()))
            raise
        except (Conflict, Gone):
            raise
        except Refused as error:
            await self._end(request, task, Reason.JOB_REFUSED, f"The API server refuses the Job: {error}")
        else:
            self._view.see_job(body)
            logger.info("%s: created the Job %s.", request.key, body["metadata"]["name"])

    async def _adopt(self, request: RetrainRequest, task: Task, name: str) -> None:
        body = await self._cluster.read(JOBS, name)
        if owner_uid(body) == request.uid:
            self._view.see_job(body)
            logger.info("%s: its Job %s exists already.", request.key, name)
        else:
            message = f"A Job named {name} exists that is not this request's; delete it and apply the request anew."
            await self._end(request, task, Reason.JOB_NAME_TAKEN, message)

    async def _miss(self, request: RetrainRequest, task: Task) -> None:
        """Look for a Job that the status names: the API server's word counts, not the view's."""
        name = request.status["jobName" if task is Task.TRAIN else "decisionJobName"]
        try:
            self._view.see_job(await self._cluster.read(JOBS, name))
        except Gone:
            await self._end(request, task, Reason.JOB_DELETED, deleted(request, task, name))

    async def _ignore(self, request: RetrainRequest, message: str) -> None:
        """Keep the decision that changes nothing, so that this is said once."""
        status = {"ignoredDecision": request.decision}
        self._view.see_request(await self._cluster.patch_status(request.name, request.resource_version, status))
        logger.warning("%s: %s", request.key, message)
        await self._narrator.tell(request, {"status": "True", "reason": Reason.DECISION_IGNORED, "message": message})

    async def _end(self, request: RetrainRequest, task: Task, reason: Reason, message: str) -> None:
        """End a task without a Job that could tell how."""
        await self._write(request, ended(request, task, Outcome(reason, message), self._clock()))

    async def _write(self, request: RetrainRequest, status: Status) -> None:
        """Write a status; tell in the log and as an Event what is another turn and not only another figure."""
        self._view.see_request(await self._cluster.patch_status(request.name, request.resource_version, status))
        for condition in news(request, status):
            logger.info("%s: %s. %s", request.key, condition["reason"], condition["message"])
            await self._narrator.tell(request, condition)


async def seed_until_ready(reconciler: Reconciler, pause_seconds: float = 2.0) -> None:
    """Seed, however long the API server or the CRD takes to be there."""
    while True:
        try:
            return await reconciler.seed()
        except Gone:
            logger.warning(
                "The CRD of RetrainRequests is not installed; apply crds/retrainrequests.yaml. Waiting for it."
            )
        except ClusterError as error:
            logger.warning("%s Trying again in %.0f s.", error, pause_seconds)
        await asyncio.sleep(pause_seconds)
