"""Creates the Jobs of RetrainRequests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from retraining_operator.api.approval import Approval
from retraining_operator.api.approval_status import (
    build_launching_approval_status,
    build_refused_approval_status,
)
from retraining_operator.api.conditions import Status
from retraining_operator.api.fields import Fields
from retraining_operator.api.job import read_job
from retraining_operator.api.job_container import InvalidRequestError
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.kubernetes_error_table import CONFLICT
from retraining_operator.api.kubernetes_errors import classify_answer
from retraining_operator.api.names import Task
from retraining_operator.api.ownership import (
    add_launch_token,
    compute_launch_digest,
    create_launch_token,
    is_own_job,
)
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.api.status import (
    build_launching_status,
    build_unconfirmed_status,
    build_waiting_status,
)
from retraining_operator.controller.errors import (
    JobNotCreatedError,
    format_refusal,
)
from retraining_operator.controller.status_writer import StatusWriter
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.kube.client import LAUNCH_TIMEOUT_SECONDS, KubeClient
from retraining_operator.kube.errors import AlreadyExistsError, KubeError, NotFoundError
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
        request, task = step.request, Task.TRAIN
        manifest = await self._build(request, task, None)
        if manifest is None:
            return
        job = manifest["metadata"]["name"]
        if request.is_launching and await self._adopt(request, task, job):
            return
        token = create_launch_token()
        status = build_launching_status(
            request, job, self._clock(), compute_launch_digest(job, token)
        )
        request = await self._announce(request, status)
        try:
            await self._create(request, task, add_launch_token(manifest, token))
        except JobNotCreatedError as refusal:
            await self._write_refusal(request, job, refusal)
            raise refusal.retry_error from refusal

    async def apply_approval(self, step: ApplyApproval) -> None:
        """Store that the Job that applies an approval is being created, then create it.

        Raises:
            KubeError: If a write failed; the step can be repeated.
            RetryLaterError: If the API server rejected the Job for now.
        """
        request, task = step.request, Task.DECIDE
        manifest = await self._build(request, task, step.approval)
        if manifest is None:
            return
        job = manifest["metadata"]["name"]
        if request.is_launching_approval and await self._adopt(request, task, job):
            return
        token = create_launch_token()
        digest = compute_launch_digest(job, token)
        status = build_launching_approval_status(request, step.approval, job, self._clock(), digest)
        request = await self._announce(request, status)
        try:
            await self._create(request, task, add_launch_token(manifest, token))
        except JobNotCreatedError as refusal:
            status = build_refused_approval_status(
                request, refusal.message, self._clock(), is_definite=refusal.is_definite
            )
            await self._status_writer.write_if_changed(request, status)
            raise refusal.retry_error from refusal

    async def _build(
        self, request: RetrainRequest, task: Task, approval: Approval | None
    ) -> Manifest | None:
        """Build the manifest of a Job. If there can be none, store why and return None."""
        try:
            return build_job(request, self._settings, approval)
        except InvalidRequestError as error:
            await self._status_writer.write_failure(
                request, task, ConditionReason.INVALID_REQUEST, str(error)
            )
            return None

    async def _announce(self, request: RetrainRequest, status: Status) -> RetrainRequest:
        """Store that a Job is being created, with the digest by which it will be recognized."""
        stored = await self._status_writer.announce(request, status)
        self._fault_injection.reach(Point.LAUNCHING)
        return stored

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
            self._cache.add_created_job(body)
            logger.info("%s: created the Job %s.", request.key, body["metadata"]["name"])

    async def _adopt(self, request: RetrainRequest, task: Task, name: str) -> bool:
        """Adopt the request's own Job if an earlier try has created it.

        If the name is taken by a Job that the operator has not created, the task ends. Nothing of
        that Job is believed.

        Returns:
            False if there is no Job of that name.
        """
        try:
            body = await self._cluster.read(JOBS, name)
        except NotFoundError:
            return False
        job = read_job(body)
        if job is not None and is_own_job(request, job):
            self._cache.add_created_job(body)
            logger.info("%s: the Job %s exists already.", request.key, name)
            return True
        uid = Fields.of(body).fields("metadata").text("uid")
        await self._status_writer.write_failure(
            request,
            task,
            ConditionReason.JOB_NAME_TAKEN,
            f"The name {name} is taken by a Job (uid {uid}) that the operator has not created. Its "
            "result is not believed. Find out who has created it, delete it, and apply the request "
            "again.",
        )
        return True
