"""Writes the status of RetrainRequests, and reports what has changed in log, Events and metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from retraining_operator.api.condition_changes import has_changes, select_reportable_conditions
from retraining_operator.api.conditions import ConditionType, Status, read_conditions
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_outcome_status
from retraining_operator.api.ownership import read_launches
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.controller.backoff import REFUSED_SECONDS
from retraining_operator.controller.errors import RetryLaterError
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.observability.metrics import Metrics
from retraining_operator.planning.steps import WriteStatus
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)


class StatusWriter:
    """The only place that writes the status of a RetrainRequest.

    Args:
        cluster: The API server.
        cache: Updated with each stored object.
        metrics: Counts failed and suppressed runs.
        event_recorder: Writes an Event for each change.
        clock: Returns the current time, UTC.
    """

    def __init__(
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        metrics: Metrics,
        event_recorder: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._metrics = metrics
        self._event_recorder = event_recorder
        self._clock = clock

    async def write(self, request: RetrainRequest, status: Status) -> RetrainRequest:
        """Store a status, then count and report what it changes.

        Args:
            request: The request, at the resource version that the status is based on.
            status: The fields to write, with all conditions.

        Returns:
            The request as stored.

        Raises:
            KubeError: If the API server did not store it, for example because of a conflict.
        """
        stored = await self._store(request, status)
        self._count_failure(request, status)
        await self._report_changes(request, status)
        return stored

    async def announce(self, request: RetrainRequest, status: Status) -> RetrainRequest:
        """Store that an object is being created, with the digest by which it will be recognized.

        Args:
            request: The request that the object is for.
            status: The fields to write, with all conditions and `launches`.

        Returns:
            The request with its stored status.

        Raises:
            KubeError: As `write`.
            RetryLaterError: If the API server has dropped the digest.
        """
        stored = await self.write(request, status)
        if status["launches"] == read_launches(stored):
            return stored
        logger.error(
            "%s: the API server does not store status.launches, so no Job and no RetrainApproval "
            "can be created. Apply the present crds/retrainrequests.yaml.",
            request.key,
        )
        raise RetryLaterError(REFUSED_SECONDS)

    async def write_if_changed(self, request: RetrainRequest, status: Status) -> None:
        """Store a status if it differs from the request's.

        Args:
            request: The request.
            status: The fields to write, with all conditions.

        Raises:
            KubeError: As `write`.
        """
        if has_changes(request, status):
            await self.write(request, status)

    async def write_planned(self, step: WriteStatus) -> None:
        """Store a status that the plan has decided, and count a request that will not run."""
        await self.write(step.request, step.status)
        self._metrics.count_suppressed(step.status)

    async def write_failure(
        self, request: RetrainRequest, task: Task, reason: ConditionReason, message: str
    ) -> None:
        """Store the failure of a task that has no Job.

        Args:
            request: The request.
            task: The task.
            reason: Why it failed.
            message: The same for a person.

        Raises:
            KubeError: As `write`.
        """
        status = build_outcome_status(request, task, JobOutcome(reason, message), self._clock())
        if request.is_launching:
            status |= {"jobName": None, "jobUid": None}
        await self.write(request, status)

    async def _store(self, request: RetrainRequest, status: Status) -> RetrainRequest:
        body = await self._cluster.patch_status(request.name, request.resource_version, status)
        self._cache.update_request(body)
        return read_request(body)

    def _count_failure(self, request: RetrainRequest, status: Status) -> None:
        succeeded = read_conditions(status)[ConditionType.SUCCEEDED]
        if succeeded.status == "False" and not request.is_finished:
            self._metrics.count_failed_run(succeeded.reason)

    async def _report_changes(self, request: RetrainRequest, status: Status) -> None:
        for condition in select_reportable_conditions(request, status):
            logger.info("%s: %s. %s", request.key, condition.reason, condition.message)
            await self._event_recorder.record(request, condition)
