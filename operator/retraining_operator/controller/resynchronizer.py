"""Fills the cache from full lists of the cluster's objects, at start and periodically."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from retraining_operator.api import names
from retraining_operator.api.fields import Fields
from retraining_operator.api.request import Manifest
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import ForbiddenError, KubeError, NotFoundError
from retraining_operator.kube.resources import APPROVALS, REQUESTS, Listing
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import Settle
from retraining_operator.settings import Triggers
from retraining_operator.watch.cache import POD_KIND, ClusterCache
from retraining_operator.watch.object_fence import fence_object

logger = logging.getLogger(__name__)

RESYNC_SECONDS = 300
"""How long a change that the watch has missed may stay unknown."""
RETRY_SECONDS = 2.0
"""How long to wait before the first list is tried again."""


class Resynchronizer:
    """Corrects the cache from full lists.

    Args:
        cluster: The API server.
        cache: The cache.
        triggers: The trigger policy. The plan that finds settled requests needs it.
        clock: Returns the current time, UTC.
    """

    def __init__(
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        triggers: Triggers,
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._triggers = triggers
        self._clock = clock

    async def populate(self) -> None:
        """Fill the cache before the first plan, because requests of earlier processes count.

        Raises:
            KubeError: If the API server is unavailable or a CRD is missing.
        """
        requests, jobs = await self.resynchronize()
        logger.info("Found %d RetrainRequests and %d Jobs.", requests, jobs)

    async def populate_until_done(self) -> None:
        """Fill the cache, and wait for the API server and the CRDs as long as it takes."""
        while True:
            try:
                return await self.populate()
            except NotFoundError:
                logger.warning(
                    "A CRD is missing: that of RetrainRequests or that of RetrainApprovals. Apply "
                    "the files in crds/. Trying again in %.0f s.",
                    RETRY_SECONDS,
                )
            except KubeError as error:
                logger.warning("%s Trying again in %.0f s.", error, RETRY_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)

    async def run(self) -> None:
        """Correct the cache every RESYNC_SECONDS until cancelled."""
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            try:
                await self.resynchronize()
            except KubeError as error:
                logger.warning(
                    "The cluster's objects could not be listed: %s Trying again in %d s.",
                    error,
                    RESYNC_SECONDS,
                )

    async def resynchronize(self) -> tuple[int, int]:
        """Correct the cache from a full list.

        An object that is deleted while the list is read may reappear in the cache until the next
        list. The API server then answers each step for it with "not found".

        Returns:
            The numbers of RetrainRequests and of Jobs.

        Raises:
            KubeError: If the API server is unavailable or a CRD is missing.
        """
        cache = self._cache
        jobs, pods, refusals = await asyncio.gather(
            self._cluster.list_jobs(), self._cluster.list_pods(), self._list_refusals()
        )
        for body in jobs:
            cache.update_job(body)
        await self._resynchronize_approvals()
        uids, version = set[str](), 0
        async for page in self._cluster.list_pages(REQUESTS):
            for body in page:
                cache.update_request(body)
            self._settle_finished()  # after each page, because settled requests take little memory
            uids |= read_uids(page)
            version = page.resource_version
        for body in pods:
            with fence_object(cache.problems, POD_KIND, body):
                version = Fields.of(body).fields("metadata").require_version()
                cache.watch_health.expect_version(names.PODS, version)
            cache.update_pod(body)
        for body in refusals:
            cache.update_refusal(body)
        cache.retain_requests(uids, version)
        cache.retain_jobs(read_uids(jobs), jobs.resource_version)
        return len(uids), len(jobs)

    async def _resynchronize_approvals(self) -> None:
        uids, version = set[str](), 0
        async for page in self._cluster.list_pages(APPROVALS):
            for body in page:
                self._cache.approvals.update(body)
            uids |= read_uids(page)
            version = page.resource_version
        self._cache.approvals.retain(uids, version)

    async def _list_refusals(self) -> list[Manifest]:
        """List the Events of rejected pods; empty without the right to do so."""
        try:
            return await self._cluster.list_refusals()
        except ForbiddenError as error:
            logger.warning(
                "Events cannot be listed, so requests will not show why the API server rejects "
                "their pods. Allow the operator's Role to list and watch events of the group "
                "events.k8s.io. %s",
                error,
            )
            return []

    def _settle_finished(self) -> None:
        plan_input = PlanInput(list(self._cache.requests.values()), self._cache.own_jobs.select())
        for step in plan(plan_input, self._triggers, self._clock()).steps:
            if isinstance(step, Settle):
                self._cache.settle(step.request)


def read_uids(listing: Listing) -> set[str]:
    """Return the uids of the objects in a list."""
    return {Fields.of(body).fields("metadata").text("uid") for body in listing}
