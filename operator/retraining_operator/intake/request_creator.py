"""Creates the RetrainRequest of a record, exactly one however often the record is read.

The names of RetrainRequests are unique. "Already exists" means success if the existing object was
created for the same record.
"""

from __future__ import annotations

import asyncio
import logging

from retraining_operator.api.request import Manifest, is_same_trigger
from retraining_operator.api.trigger import Malformed, MalformedRecordError
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.intake.api_retry import UNAVAILABLE, ApiRetry
from retraining_operator.intake.backpressure import Backpressure, BackpressureReason
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ApiServerUnavailableError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RequestRefusedError,
)
from retraining_operator.kube.resources import REQUESTS
from retraining_operator.observability.metrics import ACCEPTED, DUPLICATE
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

NOT_CREATED_YET = (*UNAVAILABLE, ConflictError)
"""Errors after which the creation is repeated. A conflict means that another write to a
ResourceQuota came first."""
POLL_SECONDS = 0.5
"""How often the waiting requests in the cache are counted under backpressure."""


class RequestCreator:
    """Creates RetrainRequests, and waits while too many of them wait for their Jobs.

    Args:
        cluster: The API server.
        cache: Updated with each created request.
        fault_injection: The points at which a test stops the process.
        backpressure: Applied while requests have to wait.
        max_waiting: How many requests may wait for their Jobs; 0 for no limit.
    """

    def __init__(
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        fault_injection: FaultInjection,
        backpressure: Backpressure,
        max_waiting: int,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._fault_injection = fault_injection
        self._backpressure = backpressure
        self._api_retry = ApiRetry(backpressure)
        self._max_waiting = max_waiting
        self._room = 0

    async def wait_for_room(self) -> None:
        """Wait while too many requests wait for their Jobs.

        The cache is counted only if the room found by the last count is used up.
        """
        if self._max_waiting and self._room <= 0:
            self._count_room()
            if self._room <= 0:
                message = (
                    f"{self._max_waiting} RetrainRequests wait for their Jobs "
                    "(triggers.maxWaiting)."
                )
                with self._backpressure.apply(BackpressureReason.TOO_MANY_WAITING, message):
                    while self._room <= 0:
                        await asyncio.sleep(POLL_SECONDS)
                        self._count_room()
        self._room -= 1

    def _count_room(self) -> None:
        self._room = self._max_waiting - self._cache.count_waiting()

    async def create(self, manifest: Manifest) -> str:
        """Create a request. Retries for as long as the API server is unavailable.

        Returns:
            ACCEPTED if it was created, DUPLICATE if it exists or has existed.

        Raises:
            MalformedRecordError: If the API server will never accept this request.
        """
        name, trigger = manifest["metadata"]["name"], manifest["spec"]["trigger"]
        if self._cache.requested_positions.has(manifest):
            logger.info("Skipped a record: its RetrainRequest %s was created before.", name)
            return DUPLICATE
        try:
            created = await self._api_retry.call(
                lambda: self._cluster.create(REQUESTS, manifest), NOT_CREATED_YET
            )
            self._cache.update_request(created)
            self._fault_injection.reach(Point.REQUEST_CREATED)
        except AlreadyExistsError:
            return await self._check_existing(manifest)
        except RequestRefusedError as error:
            raise MalformedRecordError(
                Malformed.REFUSED, f"the API server refuses its request: {error}"
            ) from error
        logger.info(
            "Created the RetrainRequest %s for the record %s/%s/%s.",
            name,
            trigger["topic"],
            trigger["partition"],
            trigger["offset"],
        )
        return ACCEPTED

    async def _check_existing(self, manifest: Manifest) -> str:
        name = manifest["metadata"]["name"]
        try:
            existing = await self._api_retry.call(
                lambda: self._cluster.read(REQUESTS, name),
                (ApiServerUnavailableError, ForbiddenError),
            )
        except NotFoundError:
            logger.info("Skipped a record: its RetrainRequest %s was just deleted.", name)
            return DUPLICATE
        if is_same_trigger(manifest, existing):
            logger.info("Skipped a record: its RetrainRequest %s exists.", name)
            return DUPLICATE
        raise MalformedRecordError(
            Malformed.REFUSED, f"a RetrainRequest named {name} exists for another record"
        )
