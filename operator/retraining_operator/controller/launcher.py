"""Creates the Jobs of RetrainRequests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from retraining_operator.api.approval_status import build_awaiting_approval_status
from retraining_operator.api.job import read_owner_uid
from retraining_operator.api.job_container import InvalidRequestError
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.kubernetes_error_table import CONFLICT
from retraining_operator.api.kubernetes_errors import classify_answer
from retraining_operator.api.names import Task
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.api.status import (
    build_launching_status,
    build_unconfirmed_status,
    build_waiting_status,
)
from retraining_operator.controller.errors import JobNotCreatedError, format_refusal
from retraining_operator.controller.status_writer import StatusWriter
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.kube.client import LAUNCH_TIMEOUT_SECONDS, KubeClient
from retraining_operator.kube.errors import AlreadyExistsError, KubeError
from retraining_operator.kube.resources import JOBS
from retraining_operator.planning.steps import ApplyApproval, Launch
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)


class Launcher:
    """Creates at most one Job for each task of a request. Its derived name prevents a second one.

    Args:
        cluster: The API server.
        cache: Updated with each created Job.
        status_writer: Writes what became of the request.
        settings: The settings that a Job is built from.
        fault_injection: The points at which a test stops the process.
        clock: Returns the current time, UTC.
    """

    def __init__(  # noqa: PLR0913  # its dependencies, by keyword
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        status_writer: StatusWriter,
        settings: Settings,
        fault_injection: FaultInjection,
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._status_writer = status_writer
        self._settings = settings
        self._fault_injection = fault_injection
        self._clock = clock

    async def launch(self, step: Launch) -> None:
        """Store that the request's Job is being created, then create it.

        Raises:
            KubeError: If a write failed; the step can be repeated.
            RetryLaterError: If the API server rejected the Job for now.
        """
        request = step.request
        try:
            manifest = build_job(request, self._settings)
        except InvalidRequestError as error:
            await self._status_writer.write_failure(
                request, Task.TRAIN, ConditionReason.INVALID_REQUEST, str(error)
            )
            return
        if not request.is_launching:
            job = manifest["metadata"]["name"]
            status = build_launching_status(request, job, self._clock())
            request = await self._status_writer.write(request, status)
        self._fault_injection.reach(Point.LAUNCHING)
        try:
            await self._create(request, Task.TRAIN, manifest)
        except JobNotCreatedError as refusal:
            await self._write_refusal(request, manifest["metadata"]["name"], refusal)
            raise refusal.retry_error from refusal

    async def apply_approval(self, step: ApplyApproval) -> None:
        """Create the Job that applies an approval.

        Raises:
            KubeError: If a write failed; the step can be repeated.
            RetryLaterError: If the API server rejected the Job for now.
        """
        request = step.request
        try:
            manifest = build_job(request, self._settings, step.approval)
        except InvalidRequestError as error:
            await self._status_writer.write_failure(
                request, Task.DECIDE, ConditionReason.INVALID_REQUEST, str(error)
            )
            return
        try:
            await self._create(request, Task.DECIDE, manifest)
        except JobNotCreatedError as refusal:
            status = build_awaiting_approval_status(
                request, ConditionReason.JOB_REFUSED_FOR_NOW, refusal.message, self._clock()
            )
            await self._status_writer.write_if_changed(request, status)
            raise refusal.retry_error from refusal

    async def _write_refusal(
        self, request: RetrainRequest, job: str, refusal: JobNotCreatedError
    ) -> None:
        """Store why the Job was not created. If it may exist, the status keeps its name."""
        now = self._clock()
        if refusal.is_definite:
            reason = ConditionReason.JOB_REFUSED_FOR_NOW
            status = build_waiting_status(request, reason, refusal.message, now)
        else:
            status = build_unconfirmed_status(request, job, refusal.message, now)
        await self._status_writer.write_if_changed(request, status)

    async def _create(self, request: RetrainRequest, task: Task, manifest: Manifest) -> None:
        """Create a Job, or adopt the request's own Job if it exists already.

        Raises:
            JobNotCreatedError: If the API server rejects it for now, or failed.
            KubeError: If the API server cannot be reached, or another write came first.
        """
        try:
            body = await self._cluster.create(JOBS, manifest, LAUNCH_TIMEOUT_SECONDS)
        except AlreadyExistsError:
            await self._adopt(request, task, manifest["metadata"]["name"])
        except KubeError as error:
            row = classify_answer(error.answer) if error.answer else CONFLICT
            if row is CONFLICT:
                raise
            if row.retried:
                raise JobNotCreatedError(error) from error
            await self._status_writer.write_failure(
                request, task, ConditionReason.JOB_REFUSED, format_refusal(error)
            )
        else:
            self._fault_injection.reach(Point.JOB_CREATED)
            self._cache.update_job(body)
            logger.info("%s: created the Job %s.", request.key, body["metadata"]["name"])

    async def _adopt(self, request: RetrainRequest, task: Task, name: str) -> None:
        body = await self._cluster.read(JOBS, name)
        if read_owner_uid(body) == request.uid:
            self._cache.update_job(body)
            logger.info("%s: the Job %s exists already.", request.key, name)
            return
        message = (
            f"A Job named {name} exists that does not belong to this request. "
            "Delete that Job and apply the request again."
        )
        await self._status_writer.write_failure(
            request, task, ConditionReason.JOB_NAME_TAKEN, message
        )
