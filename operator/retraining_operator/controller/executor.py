"""Carries out the steps of a plan: the place where the operator acts on the cluster.

Driven by the reconciler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from retraining_operator.api import names
from retraining_operator.api.approval import Approval
from retraining_operator.api.conditions import (
    RETRIED_REASONS,
    Status,
    format_time,
    has_changes,
    select_reportable_conditions,
)
from retraining_operator.api.job import EndedTrainer, Job, read_job, read_owner_uid
from retraining_operator.api.job_manifest import InvalidRequestError, build_job
from retraining_operator.api.kubernetes_errors import CONFLICT, classify, format_error
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome, read_outcome, select_job_attempts
from retraining_operator.api.pod import read_attempt
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest, read_request
from retraining_operator.api.status import (
    build_awaiting_approval_status,
    build_deleted_job_status,
    build_launching_status,
    build_outcome_status,
    build_unconfirmed_status,
    build_waiting_status,
    describe_deleted_job,
    read_waiting_for,
    set_recorded_condition,
)
from retraining_operator.audit.log_tail import extract_tail
from retraining_operator.audit.row import Row, build_row
from retraining_operator.audit.writer import AuditWriter
from retraining_operator.contract import Withheld
from retraining_operator.controller.backoff import REFUSED_SECONDS
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.kube.client import LAUNCH_TIMEOUT_SECONDS, KubeClient
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    KubeError,
    NotFoundError,
    RequestRefusedError,
)
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.kube.resources import JOBS
from retraining_operator.observability.metrics import Metrics
from retraining_operator.planning.finished import FinishedRun, parse_time
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
    Step,
    WriteStatus,
)
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)


ENDING_SECONDS = 1
"""How long before looking again whether a deleted Job's pod is gone."""
SIDECAR_SECONDS = 5
"""How long the other containers of a pod may take to end by themselves after the trainer's."""
REFUSED_ROW_SECONDS = 60
"""How long to wait before offering a row again that the database has refused though it takes others."""


class RetryLaterError(Exception):
    """What a step is for cannot be yet: the database has not taken an outcome, or a pod is not gone."""

    def __init__(self, pause_seconds: float) -> None:
        super().__init__()
        self.pause_seconds = pause_seconds
        """When it is worth another try."""


class NotCreatedError(Exception):
    """The API server has not created a Job, and may do so later.

    Args:
        error: what it answered.
    """

    def __init__(self, error: KubeError) -> None:
        super().__init__(str(error))
        self.error = error
        self.message = refusal_of(error)

    @property
    def is_definite(self) -> bool:
        """Whether the API server has refused: after every other error the Job may exist nevertheless."""
        return self.error.answer is not None and 400 <= self.error.answer.status < 500

    @property
    def retry(self) -> Exception:
        """What makes the reconciler try again: after a while if it was refused, sooner if the API server failed."""
        return (
            RetryLaterError(REFUSED_SECONDS)
            if isinstance(self.error, RequestRefusedError)
            else self.error
        )


class Executor:
    """Carries out one step at a time for each request, and any number side by side."""

    def __init__(  # noqa: PLR0913  # all that it works with, by keyword
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        metrics: Metrics,
        audit_writer: AuditWriter,
        event_recorder: EventRecorder,
        settings: Settings,
        fault_injection: FaultInjection,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._metrics = metrics
        self._fault_injection = fault_injection
        self._audit_writer = audit_writer
        self._cluster = cluster
        self._event_recorder = event_recorder
        self._clock = clock

    async def carry_out(self, step: Step) -> None:
        """Carry out one step.

        Raises:
            KubeError: the API server did not let it; the step may be planned again.
            RetryLaterError: what it waits for has not come yet.
        """
        match step:
            case Launch(request):
                await self._launch(request)
            case Replace(request, job, by):
                logger.info(
                    "%s: ending its Job %s for the newer request %s.",
                    request.key,
                    job.name,
                    by.name,
                )
                annotations = {names.ANNOTATION_REPLACED_BY: by.name}
                self._cache.see_job(await self._cluster.end_job(job.name, annotations))
            case ApplyApproval(request, approval):
                await self._decide(request, approval)
            case IgnoreApproval(request, message):
                await self._ignore(request, message)
            case WriteStatus(request, status):
                await self._write(request, status)
                self._metrics.count_suppressed(status)
            case Conclude(request, job):
                self._fault_injection.at(Point.JOB_ENDED)
                await self._conclude(request, job)
            case FindJob(request, task):
                await self._miss(request, task)
            case RecordOutcome(request):
                await self._record(request)
            case EndPod(request, trainer):
                await self._end_pod(request, trainer)
            case EndJob(request, job):
                self._fault_injection.at(Point.OUTCOME_STORED)
                await self._end_job(request, job)
            case ArmTtl(_, job):
                self._fault_injection.at(Point.OUTCOME_STORED)
                succeeded = job.end == "Complete" or job.is_ended_by_operator
                seconds = self._settings.job.ttl_seconds(succeeded=succeeded)
                self._cache.see_job(await self._cluster.set_job_ttl(job.name, seconds))

    async def prune(self, chosen: Iterable[FinishedRun]) -> None:
        """Delete finished requests; what cannot be deleted now is chosen again."""
        for past in chosen:
            try:
                await self._cluster.delete_request(past.name, past.uid, past.resource_version)
            except (ConflictError, NotFoundError):
                self._cache.forget_request(
                    past.uid
                )  # if it is there and has changed, the watch brings it back
            except KubeError as error:
                logger.warning(
                    "The finished RetrainRequest %s could not be deleted: %s", past.name, error
                )
                return
            else:
                self._cache.forget_request(past.uid)
                logger.info(
                    "Deleted the finished RetrainRequest %s; the database keeps its outcome.",
                    past.name,
                )

    async def _conclude(self, request: RetrainRequest, job: Job) -> None:
        """Store how a Job ended, once the database has it or is known to be away: that is one write of the status."""
        for pod in await self._cluster.list_pods(request.uid):  # the watch may lag behind the Job's
            self._cache.see_pod(pod)
        attempts = select_job_attempts(job, self._cache.attempts(request.uid))
        if job.end is None and job.ended_trainer and job.ended_trainer.finished_at:
            job = replace(job, finished_at=job.ended_trainer.finished_at)
        outcome = await self._known(
            request, job.task, read_outcome(job, attempts, read_waiting_for(request, job.task))
        )
        status = build_outcome_status(request, job.task, outcome, self._clock(), job)
        if attempts and (tail := await self._log_tail(request, attempts[-1].pod)):
            status |= {"logTail": tail}
        answer = await self._audit_writer.record(self._row(request, status))
        self._fault_injection.at(Point.OUTCOME_RECORDED)
        await self._write(request, set_recorded_condition(request, status, answer, self._clock()))
        self._metrics.count_task(job.task, outcome, job)

    async def _known(self, request: RetrainRequest, task: Task, outcome: JobOutcome) -> JobOutcome:
        """Give the verdict that the database has of a run whose pods do not tell one: its model may be live."""
        if outcome.result and outcome.result.verdict:
            return outcome
        found = await self._audit_writer.read_verdict(request.uid)
        if not found or (task is Task.DECIDE and found.withheld == Withheld.AWAITING_DECISION):
            return outcome
        logger.info("%s: %s, but the database has its verdict.", request.key, outcome.reason)
        return JobOutcome(str(found.verdict), found.message, found)

    async def _log_tail(self, request: RetrainRequest, pod: str) -> str:
        """Read the end of a pod's log; an outcome does not wait for it, since its node may be away for good."""
        lines = self._settings.job.log_tail_lines
        if not lines:
            return ""
        try:
            return extract_tail(await self._cluster.read_log(pod, lines), lines)
        except NotFoundError:
            return ""
        except KubeError as error:
            logger.warning(
                "%s: the log's tail of its pod %s could not be read: %s", request.key, pod, error
            )
            return ""

    async def _record(self, request: RetrainRequest) -> None:
        """Write to the database what stands in the status."""
        answer = await self._audit_writer.record(self._row(request, {}))
        status = set_recorded_condition(
            request, {"conditions": request.status["conditions"]}, answer, self._clock()
        )
        if has_changes(request, status):
            await self._write(request, status)
        if answer[1] in RETRIED_REASONS:
            raise RetryLaterError(self._audit_writer.backoff_seconds or REFUSED_ROW_SECONDS)

    def _row(self, request: RetrainRequest, status: Status) -> Row:
        return build_row(request, status, self._settings.trainer.preset, self._clock())

    async def _launch(self, request: RetrainRequest) -> None:
        """Write down that the request's Job is created, then create it."""
        try:
            manifest = build_job(request, self._settings)
        except InvalidRequestError as error:
            return await self._end(request, Task.TRAIN, ConditionReason.INVALID_REQUEST, str(error))
        if not request.is_launching:
            request = await self._write(
                request,
                build_launching_status(request, manifest["metadata"]["name"], self._clock()),
            )
        self._fault_injection.at(Point.LAUNCHING)
        try:
            await self._create(request, Task.TRAIN, manifest)
        except NotCreatedError as refusal:
            if refusal.is_definite:
                status = build_waiting_status(
                    request, ConditionReason.JOB_REFUSED_FOR_NOW, refusal.message, self._clock()
                )
            else:
                status = build_unconfirmed_status(
                    request, manifest["metadata"]["name"], refusal.message, self._clock()
                )
            await self._tell(request, status)
            raise refusal.retry from refusal

    async def _decide(self, request: RetrainRequest, approval: Approval) -> None:
        """Create the Job that carries a decision out."""
        try:
            manifest = build_job(request, self._settings, approval)
        except InvalidRequestError as error:
            return await self._end(
                request, Task.DECIDE, ConditionReason.INVALID_REQUEST, str(error)
            )
        try:
            await self._create(request, Task.DECIDE, manifest)
        except NotCreatedError as refusal:
            status = build_awaiting_approval_status(
                request, ConditionReason.JOB_REFUSED_FOR_NOW, refusal.message, self._clock()
            )
            await self._tell(request, status)
            raise refusal.retry from refusal

    async def _create(self, request: RetrainRequest, task: Task, manifest: Manifest) -> None:
        """Create a Job; one of that name that is the request's own is the one we wanted.

        Raises:
            NotCreatedError: the API server refuses it for now, or failed.
            KubeError: the API server cannot be reached, or another write came first.
        """
        try:
            body = await self._cluster.create(JOBS, manifest, LAUNCH_TIMEOUT_SECONDS)
        except AlreadyExistsError:
            await self._adopt(request, task, manifest["metadata"]["name"])
        except KubeError as error:
            row = classify(error.answer) if error.answer else CONFLICT
            if row is CONFLICT:
                raise
            if row.retried:
                raise NotCreatedError(error) from error
            await self._end(request, task, ConditionReason.JOB_REFUSED, refusal_of(error))
        else:
            self._fault_injection.at(Point.JOB_CREATED)
            self._cache.see_job(body)
            logger.info("%s: created the Job %s.", request.key, body["metadata"]["name"])

    async def _adopt(self, request: RetrainRequest, task: Task, name: str) -> None:
        body = await self._cluster.read(JOBS, name)
        if read_owner_uid(body) == request.uid:
            self._cache.see_job(body)
            logger.info("%s: its Job %s exists already.", request.key, name)
        else:
            message = f"A Job named {name} exists that is not this request's; delete it and apply the request anew."
            await self._end(request, task, ConditionReason.JOB_NAME_TAKEN, message)

    async def _end_pod(self, request: RetrainRequest, trainer: EndedTrainer) -> None:
        """Delete a pod whose trainer has failed: its Job counts it as failed and tries again, as without sidecars."""
        self._give_time(trainer)
        try:
            await self._cluster.delete_pod(trainer.pod, trainer.pod_uid)
        except (ConflictError, NotFoundError):
            logger.debug("%s: the pod %s is gone.", request.key, trainer.pod)
        else:
            logger.info(
                "%s: the trainer has failed. Deleted its pod %s, because these containers went on: %s.",
                request.key,
                trainer.pod,
                ", ".join(trainer.running_containers),
            )
        raise RetryLaterError(ENDING_SECONDS)  # until the watch has brought it

    async def _end_job(self, request: RetrainRequest, job: Job) -> None:
        """End a Job whose outcome is stored.

        What the API server has of it counts: it may have ended by itself.
        """
        if job.ended_trainer and job.ended_trainer.running_containers:
            self._give_time(job.ended_trainer)
        self._cache.see_job(body := await self._cluster.read(JOBS, job.name))
        found = read_job(body)
        if found is None or found.uid != job.uid or found.end:
            return
        ended_at = (job.ended_trainer and job.ended_trainer.finished_at) or format_time(
            self._clock()
        )
        self._cache.see_job(
            await self._cluster.end_job(job.name, {names.ANNOTATION_TRAINER_ENDED: ended_at})
        )
        others = ", ".join(job.ended_trainer.running_containers) if job.ended_trainer else ""
        logger.info(
            "%s: the outcome is stored. Ended its Job %s%s.",
            request.key,
            job.name,
            others and f" with {others}",
        )

    def _give_time(self, trainer: EndedTrainer) -> None:
        """Wait for the other containers to end by themselves first.

        Raises:
            RetryLaterError: while their time is not over; a node's clock that is ahead makes that no longer.
        """
        if not trainer.finished_at or trainer.is_deleted:
            return
        left = SIDECAR_SECONDS - (self._clock() - parse_time(trainer.finished_at)).total_seconds()
        if left > 0:
            raise RetryLaterError(min(left, SIDECAR_SECONDS))

    async def _miss(self, request: RetrainRequest, task: Task) -> None:
        """Look for a Job that the status names: the API server's word counts, not the view's."""
        name = request.status["jobName" if task is Task.TRAIN else "approvalJobName"]
        try:
            self._cache.see_job(await self._cluster.read(JOBS, name))
        except NotFoundError:
            await self._outlive(request, task, name)
            outcome = await self._known(
                request,
                task,
                JobOutcome(ConditionReason.JOB_DELETED, describe_deleted_job(request, task, name)),
            )
            await self._write(request, build_outcome_status(request, task, outcome, self._clock()))
            self._metrics.count_task(task, outcome, None)

    async def _outlive(self, request: RetrainRequest, task: Task, job: str) -> None:
        """Let a deleted Job's pod end first: until then its trainer may publish."""
        pods = [
            body
            for body in await self._cluster.list_pods(request.uid)
            if read_attempt(body) is None
        ]
        if pods:
            status = build_deleted_job_status(
                request, task, job, pods[0]["metadata"]["name"], self._clock()
            )
            if has_changes(request, status):
                await self._write(request, status)
            raise RetryLaterError(ENDING_SECONDS)

    async def _ignore(self, request: RetrainRequest, message: str) -> None:
        """Keep the decision that changes nothing, so that this is said once."""
        status = {"ignoredApproval": request.approval_text}
        self._cache.see_request(
            await self._cluster.patch_status(request.name, request.resource_version, status)
        )
        logger.warning("%s: %s", request.key, message)
        await self._event_recorder.record(
            request,
            {"status": "True", "reason": ConditionReason.DECISION_IGNORED, "message": message},
        )

    async def _end(
        self, request: RetrainRequest, task: Task, reason: ConditionReason, message: str
    ) -> None:
        """End a task that has no Job."""
        status = build_outcome_status(request, task, JobOutcome(reason, message), self._clock())
        await self._write(request, status | ({"jobName": None} if request.is_launching else {}))

    async def _tell(self, request: RetrainRequest, status: Status) -> None:
        """Write a status only if it says something new."""
        if has_changes(request, status):
            await self._write(request, status)

    async def _write(self, request: RetrainRequest, status: Status) -> RetrainRequest:
        """Write a status; tell in the log and as an Event what is another turn and not only another figure."""
        body = await self._cluster.patch_status(request.name, request.resource_version, status)
        self._cache.see_request(body)
        succeeded = status["conditions"][0]
        if succeeded["status"] == "False" and not request.is_finished:
            self._metrics.count_failed_run(succeeded["reason"])
        for condition in select_reportable_conditions(request, status):
            logger.info("%s: %s. %s", request.key, condition["reason"], condition["message"])
            await self._event_recorder.record(request, condition)
        return read_request(body)


def refusal_of(error: KubeError) -> str:
    """Build the message of a Job that the API server did not create."""
    return (
        format_error(classify(error.answer), error.server_message) if error.answer else str(error)
    )
