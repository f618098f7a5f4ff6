"""Ends Jobs and pods that are no longer needed, and sets when Kubernetes deletes a Job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from retraining_operator.api import names
from retraining_operator.api.conditions import format_time
from retraining_operator.api.fields import parse_time
from retraining_operator.api.job import EndedTrainer, Job, read_job
from retraining_operator.api.request import RetrainRequest
from retraining_operator.controller.errors import RetryLaterError
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import ConflictError, NotFoundError
from retraining_operator.kube.resources import JOBS
from retraining_operator.planning.steps import EndJob, EndPod, EndUnstarted, Replace, SetTtl
from retraining_operator.settings import JobSettings
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

WATCH_DELAY_SECONDS = 1
"""How long the watch may take to show that a pod was deleted."""
SIDECAR_SECONDS = 5
"""How long the other containers of a pod may take to end by themselves after the trainer."""


class JobCleanup:
    """Ends Jobs and pods.

    Args:
        cluster: The API server.
        cache: Updated with each changed Job.
        settings: The times to live of Jobs.
        fault_injection: The points at which a test stops the process.
        clock: Returns the current time, UTC.
    """

    def __init__(
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        settings: JobSettings,
        fault_injection: FaultInjection,
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._settings = settings
        self._fault_injection = fault_injection
        self._clock = clock

    async def end_replaced_job(self, step: Replace) -> None:
        """End a running Job for a newer request.

        Raises:
            KubeError: If the API server did not do it.
        """
        request, job, newer = step.request, step.job, step.by
        logger.info(
            "%s: ending the Job %s, because the newer request %s replaces it.",
            request.key,
            job.name,
            newer.name,
        )
        annotations = {names.ANNOTATION_REPLACED_BY: newer.name}
        with self._forget_if_deleted(job):
            self._cache.update_job(await self._cluster.end_job(job.name, annotations))

    async def end_unstarted_job(self, step: EndUnstarted) -> None:
        """End a Job whose trainer has not started in time, unless it has started meanwhile.

        Raises:
            KubeError: If the API server did not do it.
        """
        request, job = step.request, step.job
        for pod in await self._cluster.list_pods(request.uid):  # the pods' watch may lag behind
            self._cache.update_pod(pod)
        current = self._cache.jobs[names.Task.TRAIN].get(request.uid)
        if current is None or current.uid != job.uid or current.unstarted_since is None:
            return
        logger.info(
            "%s: ending the Job %s, because its trainer did not start within %d s.",
            request.key,
            job.name,
            step.seconds,
        )
        annotations = {names.ANNOTATION_START_TIMEOUT: str(step.seconds)}
        with self._forget_if_deleted(job):
            self._cache.update_job(await self._cluster.end_job(job.name, annotations))

    async def end_pod(self, step: EndPod) -> None:
        """Delete a pod whose trainer has failed while other containers run.

        Its Job then counts the pod as failed and tries again, as it does without sidecars.

        Raises:
            KubeError: If the API server did not answer.
            RetryLaterError: Always, until the watch shows that the pod is gone.
        """
        request, trainer = step.request, step.trainer
        self._check_sidecars_had_time(trainer)
        try:
            await self._cluster.delete_pod(trainer.pod, trainer.pod_uid)
        except (ConflictError, NotFoundError):
            logger.debug("%s: the pod %s is gone.", request.key, trainer.pod)
        else:
            logger.info(
                "%s: the trainer has failed. Deleted its pod %s, because these containers were "
                "still running: %s.",
                request.key,
                trainer.pod,
                ", ".join(trainer.running_containers),
            )
        raise RetryLaterError(WATCH_DELAY_SECONDS)

    async def end_job(self, step: EndJob) -> None:
        """End a Job whose outcome is stored, unless it has ended by itself meanwhile.

        Raises:
            KubeError: If the API server did not do it.
            RetryLaterError: If other containers of the pod still have time to end.
        """
        self._fault_injection.reach(Point.OUTCOME_STORED)
        request, job, trainer = step.request, step.job, step.job.ended_trainer
        if trainer and trainer.running_containers:
            self._check_sidecars_had_time(trainer)
        with self._forget_if_deleted(job):
            body = await self._cluster.read(JOBS, job.name)
            self._cache.update_job(body)
            current = read_job(body)
            if current is None or current.uid != job.uid or current.end:
                return
            ended_at = (trainer and trainer.finished_at) or format_time(self._clock())
            annotations = {names.ANNOTATION_TRAINER_ENDED: ended_at}
            self._cache.update_job(await self._cluster.end_job(job.name, annotations))
            self._log_ended(request, job)

    @contextmanager
    def _forget_if_deleted(self, job: Job) -> Iterator[None]:
        """Remove the Job from the cache if it was deleted. Its request is planned again."""
        try:
            yield
        except NotFoundError:
            logger.debug("The Job %s is gone.", job.name)
            self._cache.forget_job(job)

    def _log_ended(self, request: RetrainRequest, job: Job) -> None:
        trainer = job.ended_trainer
        containers = ", ".join(trainer.running_containers) if trainer else ""
        logger.info(
            "%s: the outcome is stored. Ended the Job %s%s.",
            request.key,
            job.name,
            containers and f" with the running containers {containers}",
        )

    async def set_ttl(self, step: SetTtl) -> None:
        """Set when Kubernetes deletes a Job, after its outcome is stored.

        Raises:
            KubeError: If the API server did not do it.
        """
        self._fault_injection.reach(Point.OUTCOME_STORED)
        job = step.job
        succeeded = job.end == "Complete" or job.is_ended_by_operator
        seconds = self._settings.ttl_seconds(succeeded=succeeded)
        with self._forget_if_deleted(job):
            self._cache.update_job(await self._cluster.set_job_ttl(job.name, seconds))

    def _check_sidecars_had_time(self, trainer: EndedTrainer) -> None:
        """Check that the other containers have had their time to end by themselves.

        Raises:
            RetryLaterError: If they have not. Even if the node's clock is ahead, the wait is at
                most SIDECAR_SECONDS.
        """
        finished_at = parse_time(trainer.finished_at)
        if finished_at is None or trainer.is_deleted:
            return
        elapsed = (self._clock() - finished_at).total_seconds()
        if elapsed < SIDECAR_SECONDS:
            raise RetryLaterError(min(SIDECAR_SECONDS - elapsed, SIDECAR_SECONDS))
