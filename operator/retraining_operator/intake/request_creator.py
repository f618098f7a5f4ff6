"""Creates the RetrainRequest of a record, exactly one however often the record is read.

The names of RetrainRequests are unique. "Already exists" means success if the existing object is
the record's own request. If somebody else has taken the name, the record has further names.
"""

from __future__ import annotations

import logging

from retraining_operator.api.record_request import build_request, compute_record_key
from retraining_operator.api.request import Manifest
from retraining_operator.api.trigger import Malformed, MalformedRecordError, Trigger
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.intake.api_retry import UNAVAILABLE, ApiRetry
from retraining_operator.intake.backpressure import Backpressure
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


class RequestCreator:
    """Creates RetrainRequests.

    Args:
        cluster: The API server.
        cache: Updated with each created request.
        fault_injection: The points at which a test stops the process.
        backpressure: Applied while requests have to wait.
    """

    def __init__(
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        fault_injection: FaultInjection,
        backpressure: Backpressure,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._fault_injection = fault_injection
        self._api_retry = ApiRetry(backpressure)

    async def create(self, trigger: Trigger) -> str:
        """Create the request of a record. Retries for as long as the API server is unavailable.

        Returns:
            ACCEPTED if it was created, DUPLICATE if it exists or has existed.

        Raises:
            MalformedRecordError: If the API server will never accept this request.
        """
        attempt, outcome = 0, None
        while outcome is None:
            manifest = build_request(trigger, self._cluster.namespace, attempt)
            outcome = await self._create_under_name(manifest)
            attempt += 1
        return outcome

    async def _create_under_name(self, manifest: Manifest) -> str | None:
        """Create a request under its name. Returns None if the name is somebody else's."""
        name = manifest["metadata"]["name"]
        while True:
            if known := self._cache.requested_positions.find(manifest):
                logger.info("Skipped a record: its RetrainRequest %s was created before.", known)
                return DUPLICATE
            try:
                await self._create(manifest)
            except AlreadyExistsError:
                existing = await self._read(name)
            except RequestRefusedError as error:
                raise MalformedRecordError(
                    Malformed.REFUSED, f"the API server refuses its request: {error}"
                ) from error
            else:
                return ACCEPTED
            if existing is None:
                continue  # Deleted meanwhile. If it was the record's, the watch tells.
            if compute_record_key(existing) == compute_record_key(manifest):
                logger.info("Skipped a record: its RetrainRequest %s exists.", name)
                return DUPLICATE
            logger.warning(
                "The RetrainRequest %s was not created by the operator but has the name of the "
                "record %s. Creating the request of the record under another name. To forbid such "
                "names, set requests.policy.create in the chart's values.",
                name,
                format_trigger(manifest),
            )
            return None

    async def _create(self, manifest: Manifest) -> None:
        created = await self._api_retry.call(
            lambda: self._cluster.create(REQUESTS, manifest), NOT_CREATED_YET
        )
        self._cache.update_request(created)
        self._fault_injection.reach(Point.REQUEST_CREATED)
        logger.info(
            "Created the RetrainRequest %s for the record %s.",
            manifest["metadata"]["name"],
            format_trigger(manifest),
        )

    async def _read(self, name: str) -> Manifest | None:
        try:
            return await self._api_retry.call(
                lambda: self._cluster.read(REQUESTS, name),
                (ApiServerUnavailableError, ForbiddenError),
            )
        except NotFoundError:
            return None


def format_trigger(manifest: Manifest) -> str:
    """Return the Kafka position of a request for a record, for a log line."""
    trigger = manifest["spec"]["trigger"]
    return f"{trigger['topic']}/{trigger['partition']}/{trigger['offset']}"
