"""Stores how Jobs ended, in the RetrainRequest's status and in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from retraining_operator.api.conditions import RETRIED_REASONS, Status
from retraining_operator.api.fields import Fields
from retraining_operator.api.job import read_job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome, read_outcome, select_job_attempts
from retraining_operator.api.outcome_status import (
    build_deleted_job_status,
    build_outcome_status,
    describe_deleted_job,
    set_recorded_condition,
)
from retraining_operator.api.owner import read_former_job_uid
from retraining_operator.api.ownership import is_pod_of
from retraining_operator.api.pod import read_attempt
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.status import read_waiting_for
from retraining_operator.audit.log_tail import TAIL_LIMIT_BYTES, extract_tail
from retraining_operator.audit.row import Row, build_row
from retraining_operator.audit.writer import AuditWriter
from retraining_operator.contract import Withheld
from retraining_operator.controller.errors import RetryLaterError
from retraining_operator.controller.status_writer import StatusWriter
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import KubeError, NotFoundError
from retraining_operator.kube.resources import JOBS, REQUESTS
from retraining_operator.observability.metrics import Metrics
from retraining_operator.planning.steps import Conclude, FindJob, RecordOutcome
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

POD_CHECK_SECONDS = 1
"""How long to wait before checking again whether a deleted Job's pod has ended."""
REFUSED_ROW_SECONDS = 60
"""How long to wait before writing a row again that the database has rejected."""


class Concluder:
    """Reads how a Job ended and stores the outcome.

    Args:
        cluster: The API server.
        cache: The watched objects.
        status_writer: Writes the request's status.
        metrics: Counts the outcomes.
        audit_writer: Writes the outcome to the database.
        settings: The number of log lines to store, and the trainer's preset.
        fault_injection: The points at which a test stops the process.
        clock: Returns the current time, UTC.
    """

    def __init__(  # noqa: PLR0913  # its dependencies, by keyword
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        status_writer: StatusWriter,
        metrics: Metrics,
        audit_writer: AuditWriter,
        settings: Settings,
        fault_injection: FaultInjection,
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._status_writer = status_writer
        self._metrics = metrics
        self._audit_writer = audit_writer
        self._preset = settings.trainer.preset
        self._log_tail_lines = settings.job.log_tail_lines
        self._fault_injection = fault_injection
        self._clock = clock

    async def conclude(self, step: Conclude) -> None:
        """Store a Job's outcome in one write of the status.

        The database is written first, so that the status can say whether it has the outcome.

        Raises:
            KubeError: If the API server did not answer, or the request has changed.
        """
        self._fault_injection.reach(Point.JOB_ENDED)
        request, job = step.request, step.job
        for pod in await self._cluster.list_pods(request.uid):  # the pods' watch may lag behind
            self._cache.update_pod(pod)
        attempts = select_job_attempts(job, self._cache.list_attempts(request.uid))
        if job.end is None and job.ended_trainer and job.ended_trainer.finished_at:
            job = replace(job, finished_at=job.ended_trainer.finished_at)
        outcome = read_outcome(job, attempts, read_waiting_for(request))
        outcome = await self._prefer_stored_verdict(request, job.task, outcome)
        status = build_outcome_status(request, job.task, outcome, self._clock(), job)
        if attempts and (tail := await self._read_log_tail(request, attempts[-1].pod)):
            status |= {"logTail": tail}
        answer = await self._audit_writer.record(self._build_row(request, status))
        self._fault_injection.reach(Point.OUTCOME_RECORDED)
        status = set_recorded_condition(request, status, answer, self._clock())
        await self._status_writer.write(request, status)
        self._metrics.count_task(job.task, outcome, job)

    async def record_outcome(self, step: RecordOutcome) -> None:
        """Write an outcome to the database that is in the status already.

        Raises:
            KubeError: If the API server did not answer, or the request has changed.
            RetryLaterError: If the database did not accept the row.
        """
        request = step.request
        log_tail = await self._read_stored_log_tail(request)
        answer = await self._audit_writer.record(self._build_row(request, {"logTail": log_tail}))
        status = set_recorded_condition(
            request, {"conditions": request.status["conditions"]}, answer, self._clock()
        )
        await self._status_writer.write_if_changed(request, status)
        if answer.reason in RETRIED_REASONS:
            raise RetryLaterError(self._audit_writer.backoff_seconds or REFUSED_ROW_SECONDS)

    async def _read_stored_log_tail(self, request: RetrainRequest) -> str | None:
        """Read the end of the log from the stored status, because the cache does not keep it."""
        body = await self._cluster.read(REQUESTS, request.name)
        if Fields.of(body).fields("metadata").text("uid") != request.uid:
            return None
        return Fields.of(body).fields("status").text("logTail", TAIL_LIMIT_BYTES) or None

    async def find_job(self, step: FindJob) -> None:
        """Read a Job that the status names and the cache does not have.

        If the Job was deleted, its outcome is stored.

        Raises:
            KubeError: If the API server did not answer, or the request has changed.
            RetryLaterError: If a pod of the deleted Job has not ended.
        """
        request, task = step.request, step.task
        name = request.status["jobName" if task is Task.TRAIN else "approvalJobName"]
        if not await self._find_own_job(request, name):
            await self._check_pods_have_ended(request, task, name)
            message = describe_deleted_job(request, task, name)
            outcome = await self._prefer_stored_verdict(
                request, task, JobOutcome(ConditionReason.JOB_DELETED, message)
            )
            status = build_outcome_status(request, task, outcome, self._clock())
            await self._status_writer.write(request, status)
            self._metrics.count_task(task, outcome, None)

    async def _find_own_job(self, request: RetrainRequest, name: str) -> bool:
        """Store the request's own Job in the cache. Another Job of its name counts as none."""
        try:
            body = await self._cluster.read(JOBS, name)
        except NotFoundError:
            return False
        self._cache.update_job(body)
        job = read_job(body)
        return job is not None and self._cache.own_jobs.is_own(request, job)

    async def _prefer_stored_verdict(
        self, request: RetrainRequest, task: Task, outcome: JobOutcome
    ) -> JobOutcome:
        """Return the outcome, or the verdict in the database if the pods report none.

        The trainer may have recorded a verdict and published its model before its pod was lost.
        """
        if outcome.result and outcome.result.verdict:
            return outcome
        found = await self._audit_writer.read_verdict(request.uid)
        if not found or (task is Task.DECIDE and found.withheld == Withheld.AWAITING_APPROVAL):
            return outcome
        logger.info(
            "%s: the Job ended with %s, but the database has the verdict %s. Using that.",
            request.key,
            outcome.reason,
            found.verdict,
        )
        return JobOutcome(str(found.verdict), found.message, found)

    async def _check_pods_have_ended(self, request: RetrainRequest, task: Task, job: str) -> None:
        """Check that no pod of a deleted Job is left, because its trainer may still publish."""
        for body in await self._cluster.list_pods(request.uid):
            metadata = Fields.of(body).fields("metadata")
            job_uid = read_former_job_uid(metadata)
            if read_attempt(body) is None and is_pod_of(request, task, job_uid):
                pod = metadata.text("name")
                status = build_deleted_job_status(request, task, job, pod, self._clock())
                await self._status_writer.write_if_changed(request, status)
                raise RetryLaterError(POD_CHECK_SECONDS)

    async def _read_log_tail(self, request: RetrainRequest, pod: str) -> str:
        """Read the end of a pod's log; empty on failure, because its node may be lost for good."""
        if not self._log_tail_lines:
            return ""
        try:
            log = await self._cluster.read_log(pod, self._log_tail_lines)
        except NotFoundError:
            return ""
        except KubeError as error:
            logger.warning(
                "%s: the log of the pod %s could not be read. The status will not show it. %s",
                request.key,
                pod,
                error,
            )
            return ""
        return extract_tail(log, self._log_tail_lines)

    def _build_row(self, request: RetrainRequest, status: Status) -> Row:
        return build_row(request, status, self._preset, self._clock())
