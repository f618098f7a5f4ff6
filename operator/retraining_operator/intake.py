"""A record becomes a RetrainRequest, or is set aside with a sentence. Driven by the consumer.

The API server's unique names make a record that comes twice one request: "already exists" is success, once the object
is seen to stand for the same record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from kafka.consumer.fetcher import ConsumerRecord
from tenacity import before_sleep_log, retry, retry_if_exception_type, wait_random_exponential

from retraining_operator.cluster import REQUESTS, AlreadyExists, Cluster, ClusterAway, Forbidden, Gone, Refused
from retraining_operator.metrics import ACCEPTED, DUPLICATE, Metrics
from retraining_operator.request import Manifest, build_request, same_trigger
from retraining_operator.trigger import Malformed, MalformedRecord, Origin, read_trigger
from retraining_operator.view import View

logger = logging.getLogger(__name__)

PARALLEL_RECORDS = 16


class Intake:
    """Turns records into RetrainRequests."""

    def __init__(self, cluster: Cluster, view: View, metrics: Metrics) -> None:
        self._cluster = cluster
        self._view = view
        self._metrics = metrics
        self._places = asyncio.Semaphore(PARALLEL_RECORDS)

    async def accept(self, records: Sequence[ConsumerRecord]) -> None:
        """Handle a batch; when this returns, every record of it is a request or set aside."""
        await asyncio.gather(*(self._accept_one(record) for record in records))

    async def _accept_one(self, record: ConsumerRecord) -> None:
        origin = Origin(record.topic, record.partition, record.offset, record.timestamp)
        async with self._places:
            try:
                outcome = await self._request(
                    build_request(read_trigger(origin, record.value), self._cluster.namespace)
                )
            except MalformedRecord as error:
                outcome = error.kind
                logger.warning("Skipped the record %s (%s): %s.", origin, error.kind, error)
        self._metrics.trigger_handled(outcome)

    async def _request(self, manifest: Manifest) -> str:
        """Create the request, however long the API server is away.

        Raises:
            MalformedRecord: where the API server will never take this one.
        """
        try:
            self._view.see_request(await self._create(manifest))
        except AlreadyExists:
            return await self._check(manifest)
        except Refused as error:
            raise MalformedRecord(Malformed.REFUSED, f"the API server refuses its request: {error}") from error
        name, trigger = manifest["metadata"]["name"], manifest["spec"]["trigger"]
        logger.info(
            "Requested %s for the record %s/%s/%s.",
            name,
            trigger["topic"],
            trigger["partition"],
            trigger["offset"],
        )
        return ACCEPTED

    async def _check(self, manifest: Manifest) -> str:
        name = manifest["metadata"]["name"]
        if same_trigger(manifest, await self._read(name)):
            logger.info("The RetrainRequest %s exists already; its record came again.", name)
            return DUPLICATE
        raise MalformedRecord(Malformed.REFUSED, f"a RetrainRequest named {name} exists that is not this record's")

    @retry(
        # A missing right, a quota or a missing CRD is no fault of the record: waiting loses nothing, skipping would.
        retry=retry_if_exception_type((ClusterAway, Forbidden, Gone)),
        wait=wait_random_exponential(0.2, max=5),
        before_sleep=before_sleep_log(logger, logging.WARNING),
    )
    async def _create(self, manifest: Manifest) -> Manifest:
        return await self._cluster.create(REQUESTS, manifest)

    @retry(retry=retry_if_exception_type(ClusterAway), wait=wait_random_exponential(0.2, max=5))
    async def _read(self, name: str) -> Manifest:
        return await self._cluster.read(REQUESTS, name)
