"""Carries out the steps of a plan: the place where the operator acts on the cluster. Driven by the reconciler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from retraining_operator.audit.log_tail import tail_of
from retraining_operator.audit.row import Row, row_of
from retraining_operator.cluster import (
    JOBS,
    AlreadyExists,
    Cluster,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    Refused,
)
from retraining_operator.context import Context
from retraining_operator.contract import Withheld
from retraining_operator.crash import Point
from retraining_operator.events import Narrator
from retraining_operator.names import Task
from retraining_operator.objects.conditions import LATE, Status, differs, news
from retraining_operator.objects.decision import Ruling
from retraining_operator.objects.job import Job, owner_uid
from retraining_operator.objects.manifest import ImpossibleRequest, build_job
from retraining_operator.objects.outcome import Outcome, own, read_outcome
from retraining_operator.objects.pod import read_attempt
from retraining_operator.objects.request import Manifest, RetrainRequest, read_request
from retraining_operator.objects.status import awaiting, deleted, ended, ending, held, launching, recorded, waiting
from retraining_operator.planning.past import Past
from retraining_operator.planning.steps import (
    ArmTtl,
    Conclude,
    Decide,
    Ignore,
    Launch,
    Miss,
    Record,
    Replace,
    Report,
    Step,
)
from retraining_operator.reason import Reason

logger = logging.getLogger(__name__)


ENDING_SECONDS = 1
"""How long before looking again whether a deleted Job's pod is gone."""
REFUSED_ROW_SECONDS = 60
"""How long to wait before offering a row again that the database has refused though it takes others."""


class NotYet(Exception):
    """What a step is for cannot be yet: the database has not taken an outcome, or a pod is not gone."""

    def __init__(self, pause_seconds: float) -> None:
        super().__init__()
        self.pause_seconds = pause_seconds
        """When it is worth another try."""


class Worker:
    """Carries out one step at a time for each request, and any number side by side."""

    def __init__(self, context: Context, cluster: Cluster, narrator: Narrator, clock: Callable[[], datetime]) -> None:
        self._settings = context.settings
        self._view = context.view
        self._metrics = context.metrics
        self._crashes = context.crashes
        self._archive = context.archive
        self._cluster = cluster
        self._narrator = narrator
        self._clock = clock

    async def carry_out(self, step: Step) -> None:
        """Carry out one step.

        Raises:
            ClusterError: the API server did not let it; the step may be planned again.
            NotYet: what it waits for has not come yet.
        """
        match step:
            case Launch(request):
                await self._launch(request)
            case Replace(request, job, by):
                logger.info("%s: ending its Job %s for the newer request %s.", request.key, job.name, by.name)
                self._view.see_job(await self._cluster.end_job(job.name, by.name))
            case Decide(request, ruling):
                await self._decide(request, ruling)
            case Ignore(request, message):
                await self._ignore(request, message)
            case Report(request, status):
                await self._write(request, status)
                self._metrics.reported(status)
            case Conclude(request, job):
                self._crashes.at(Point.JOB_ENDED)
                await self._conclude(request, job)
            case Miss(request, task):
                await self._miss(request, task)
            case Record(request):
                await self._record(request)
            case ArmTtl(_, job):
                self._crashes.at(Point.OUTCOME_STORED)
                seconds = self._settings.job.ttl_seconds(succeeded=job.end == "Complete")
                self._view.see_job(await self._cluster.arm_ttl(job.name, seconds))

    async def prune(self, chosen: Iterable[Past]) -> None:
        """Delete finished requests; what cannot be deleted now is chosen again."""
        for past in chosen:
            try:
                await self._cluster.delete_request(past.name, past.uid, past.resource_version)
            except (Conflict, Gone):
                self._view.forget_request(past.uid)  # if it is there and has changed, the watch brings it back
            except ClusterError as error:
                logger.warning("The finished RetrainRequest %s could not be deleted: %s", past.name, error)
                return
            else:
                self._view.forget_request(past.uid)
                logger.info("Deleted the finished RetrainRequest %s; the database keeps its outcome.", past.name)

    async def _conclude(self, request: RetrainRequest, job: Job) -> None:
        """Store how a Job ended, once the database has it or is known to be away: that is one write of the status."""
        for pod in await self._cluster.list_pods(request.uid):  # the watch may lag behind the Job's
            self._view.see_pod(pod)
        attempts = own(job, self._view.attempts(request.uid))
        outcome = await self._known(request, job.task, read_outcome(job, attempts, held(request, job.task)))
        status = ended(request, job.task, outcome, self._clock(), job)
        if attempts and (tail := await self._log_tail(request, attempts[-1].pod)):
            status |= {"logTail": tail}
        answer = await self._archive.keep(self._row(request, status))
        self._crashes.at(Point.OUTCOME_RECORDED)
        await self._write(request, recorded(request, status, answer, self._clock()))
        self._metrics.task_finished(job.task, outcome, job)

    async def _known(self, request: RetrainRequest, task: Task, outcome: Outcome) -> Outcome:
        """Give the verdict that the database has of a run whose pods do not tell one: its model may be live."""
        if outcome.result and outcome.result.verdict:
            return outcome
        found = await self._archive.verdict(request.uid)
        if not found or (task is Task.DECIDE and found.withheld == Withheld.AWAITING_DECISION):
            return outcome
        logger.info("%s: %s, but the database has its verdict.", request.key, outcome.reason)
        return Outcome(str(found.verdict), found.message, found)

    async def _log_tail(self, request: RetrainRequest, pod: str) -> str:
        """Read the end of a pod's log; an outcome does not wait for it, since its node may be away for good."""
        lines = self._settings.job.log_tail_lines
        if not lines:
            return ""
        try:
            return tail_of(await self._cluster.read_log(pod, lines), lines)
        except Gone:
            return ""
        except ClusterError as error:
            logger.warning("%s: the log's tail of its pod %s could not be read: %s", request.key, pod, error)
            return ""

    async def _record(self, request: RetrainRequest) -> None:
        """Write to the database what stands in the status."""
        answer = await self._archive.keep(self._row(request, {}))
        status = recorded(request, {"conditions": request.status["conditions"]}, answer, self._clock())
        if differs(request, status):
            await self._write(request, status)
        if answer[1] in LATE:
            raise NotYet(self._archive.pause_seconds or REFUSED_ROW_SECONDS)

    def _row(self, request: RetrainRequest, status: Status) -> Row:
        return row_of(request, status, self._settings.trainer.preset, self._clock())

    async def _launch(self, request: RetrainRequest) -> None:
        """Write down that the request's Job is created, then create it."""
        try:
            manifest = build_job(request, self._settings)
        except ImpossibleRequest as error:
            return await self._end(request, Task.TRAIN, Reason.INVALID_REQUEST, str(error))
        if not request.launching:
            request = await self._write(request, launching(request, manifest["metadata"]["name"], self._clock()))
        self._crashes.at(Point.LAUNCHING)
        try:
            await self._create(request, Task.TRAIN, manifest)
        except Forbidden as error:
            status = waiting(request, Reason.JOB_REFUSED_FOR_NOW, refused_for_now(error), self._clock())
            await self._write(request, status)
            raise

    async def _decide(self, request: RetrainRequest, ruling: Ruling) -> None:
        """Create the Job that carries a decision out."""
        try:
            manifest = build_job(request, self._settings, ruling)
        except ImpossibleRequest as error:
            return await self._end(request, Task.DECIDE, Reason.INVALID_REQUEST, str(error))
        try:
            await self._create(request, Task.DECIDE, manifest)
        except Forbidden as error:
            status = awaiting(request, Reason.JOB_REFUSED_FOR_NOW, refused_for_now(error), self._clock())
            await self._write(request, status)
            raise

    async def _create(self, request: RetrainRequest, task: Task, manifest: Manifest) -> None:
        """Create a Job; one of that name that is the request's own is the one we wanted."""
        try:
            body = await self._cluster.create(JOBS, manifest)
        except AlreadyExists:
            await self._adopt(request, task, manifest["metadata"]["name"])
        except (Conflict, Gone, Forbidden):
            raise
        except Refused as error:
            await self._end(request, task, Reason.JOB_REFUSED, f"The API server refuses the Job: {error}")
        else:
            self._crashes.at(Point.JOB_CREATED)
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
            await self._outlive(request, task, name)
            outcome = await self._known(request, task, Outcome(Reason.JOB_DELETED, deleted(request, task, name)))
            await self._write(request, ended(request, task, outcome, self._clock()))
            self._metrics.task_finished(task, outcome, None)

    async def _outlive(self, request: RetrainRequest, task: Task, job: str) -> None:
        """Let a deleted Job's pod end first: until then its trainer may publish."""
        pods = [body for body in await self._cluster.list_pods(request.uid) if read_attempt(body) is None]
        if pods:
            status = ending(request, task, job, pods[0]["metadata"]["name"], self._clock())
            if differs(request, status):
                await self._write(request, status)
            raise NotYet(ENDING_SECONDS)

    async def _ignore(self, request: RetrainRequest, message: str) -> None:
        """Keep the decision that changes nothing, so that this is said once."""
        status = {"ignoredDecision": request.decision}
        self._view.see_request(await self._cluster.patch_status(request.name, request.resource_version, status))
        logger.warning("%s: %s", request.key, message)
        await self._narrator.tell(request, {"status": "True", "reason": Reason.DECISION_IGNORED, "message": message})

    async def _end(self, request: RetrainRequest, task: Task, reason: Reason, message: str) -> None:
        """End a task that has no Job."""
        status = ended(request, task, Outcome(reason, message), self._clock())
        await self._write(request, status | ({"jobName": None} if request.launching else {}))

    async def _write(self, request: RetrainRequest, status: Status) -> RetrainRequest:
        """Write a status; tell in the log and as an Event what is another turn and not only another figure."""
        body = await self._cluster.patch_status(request.name, request.resource_version, status)
        self._view.see_request(body)
        succeeded = status["conditions"][0]
        if succeeded["status"] == "False" and not request.finished:
            self._metrics.run_failed(succeeded["reason"])
        for condition in news(request, status):
            logger.info("%s: %s. %s", request.key, condition["reason"], condition["message"])
            await self._narrator.tell(request, condition)
        return read_request(body)


def refused_for_now(error: Forbidden) -> str:
    """Say that the API server may let it at another time."""
    return f"The API server does not let the Job be created at present: {error}"
