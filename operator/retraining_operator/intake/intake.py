"""A record becomes a RetrainRequest, or is set aside with a sentence. Driven by the consumer.

The API server's unique names make a record that comes twice one request: "already exists" is
success, once the object is seen to stand for the same record. What the ledger knows as handled is
not even asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from retraining_operator.api.request import Manifest, build_request, is_same_trigger
from retraining_operator.api.trigger import Malformed, MalformedRecordError
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.intake.backpressure import Backpressure, BackpressureReason
from retraining_operator.intake.catch_up import catch_up
from retraining_operator.intake.handled_offsets import HandledOffsets
from retraining_operator.intake.record_parser import format_position, get_position, parse_record
from retraining_operator.kafka.batches.item import Item, UndecodableBatch
from retraining_operator.kafka.dead_letters import DeadLetters
from retraining_operator.kafka.progress import PartitionProgress
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ApiServerUnavailableError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RequestRefusedError,
)
from retraining_operator.kube.resources import REQUESTS
from retraining_operator.observability.gauges import IntakeState
from retraining_operator.observability.metrics import ACCEPTED, DUPLICATE, SKIPPED, Metrics
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

PARALLEL_RECORDS = 16
LOOK_SECONDS = 0.5
"""How often the view, which is in memory, is asked whether there is room again."""
FRESH_SECONDS = 30
"""Less than the minute or more for which the API server knows what has changed."""
AWAY = (ApiServerUnavailableError, ForbiddenError, NotFoundError)
"""A missing right, a quota or a missing CRD is no fault of the record: waiting loses nothing, skipping would."""

Answer = TypeVar("Answer")


class Intake:
    """Turns records into RetrainRequests."""

    def __init__(  # noqa: PLR0913  # all that it works with, by keyword
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        metrics: Metrics,
        write_priority: WritePriority,
        fault_injection: FaultInjection,
        settings: Settings,
    ) -> None:
        self._cluster = cluster
        self._view = cache
        self._metrics = metrics
        self._crashes = fault_injection
        self._precedence = write_priority
        self._max_waiting = settings.triggers.max_waiting
        self._backpressure = Backpressure()
        self._dead_letters = DeadLetters(
            settings.kafka,
            partial(self._backpressure.hold, BackpressureReason.DEAD_LETTERS),
        )
        self._ledger = HandledOffsets(cluster, settings.ledger_name, settings.kafka.topic)
        self._places = asyncio.Semaphore(PARALLEL_RECORDS)
        self._room = 0
        self._opened = asyncio.Event()
        self._opened.set()
        self._prepared = False
        self._batch = asyncio.Lock()
        """Held while a batch is handled."""

    def close(self) -> None:
        """Hold records back until `open`, because this process has just begun to lead."""
        self._opened.clear()
        self._prepared = False

    def open(self) -> None:
        """Handle records."""
        self._opened.set()

    async def prepare(self) -> None:
        """Read the ledger, and which RetrainRequests were created and deleted since it was last written."""
        version = await self._patiently(self._ledger.reload)
        await catch_up(self._cluster, self._view.requested, version)
        self._prepared = True

    async def keep_fresh(self) -> None:
        """Keep the ledger's resource version young enough for the next process to catch up from it, for ever."""
        while True:
            await asyncio.sleep(FRESH_SECONDS)
            try:
                async with self._batch:
                    await self._ledger.touch()
            except KubeError as error:
                logger.debug("The ledger could not be touched: %s", error)

    def state(self) -> IntakeState:
        """Return why records are not taken, and how many wait for the dead-letter topic."""
        return IntakeState(self._backpressure.state(), self._dead_letters.count_open())

    async def accept(self, records: Sequence[Item], topic_id: str | None = "") -> PartitionProgress:
        """Handle a batch; when this returns, every record of it is a request, or set aside, or named as open.

        Args:
            records: in the order of each partition.
            topic_id: Kafka's id of the topic that they are from; None where it is not certain.
        """
        await self._opened.wait()
        async with self._batch:
            if not self._prepared:
                await self.prepare()
            with self._precedence.first():
                return await self._accept(records, topic_id)

    async def _accept(self, records: Sequence[Item], topic_id: str | None) -> PartitionProgress:
        self._crashes.at(Point.RECORDS_TAKEN)
        replaced = self._ledger.replaced(topic_id)
        known = set(self._ledger.entries)
        origins = {id(record): get_position(record) for record in records}
        news = [
            record for record in records if not self._ledger.covers(topic_id, origins[id(record)])
        ]
        self._tell_skipped(len(records) - len(news), records)
        await asyncio.gather(*(self._accept_one(record) for record in news))
        await self._dead_letters.send_open()
        still_open, put_aside = self._dead_letters.collect()
        self._crashes.at(Point.RECORDS_HANDLED)
        if topic_id is not None:
            # Where the topic was made anew these may be the old one's last records: they say
            # nothing of the new one.
            handled = [o for record in news if (o := origins[id(record)]).partition not in replaced]
            await self._patiently(
                lambda: self._ledger.advance(topic_id, handled, still_open, put_aside)
            )
        self._crashes.at(Point.LEDGER_WRITTEN)
        first_open: dict[int, int] = {}
        for partition, offset in still_open:
            first_open[partition] = min(offset, first_open.get(partition, offset))
        return PartitionProgress(first_open, replaced, known - replaced.keys())

    def _tell_skipped(self, count: int, records: Sequence[Item]) -> None:
        if count:
            self._metrics.count_records(SKIPPED, count)
            logger.info(
                "Skipped %d of the records up to %s: they were handled before, and `replay` makes what is missing.",
                count,
                get_position(records[-1]),
            )

    async def _accept_one(self, record: Item) -> None:
        async with self._places:
            try:
                manifest = build_request(parse_record(record), self._cluster.namespace)
                await self._wait_for_room()
                outcome = await self._request(manifest)
            except MalformedRecordError as error:
                outcome = error.kind
                what = "batch" if isinstance(record, UndecodableBatch) else "record"
                logger.warning(
                    "Skipped the %s %s (%s): %s.", what, format_position(record), error.kind, error
                )
                if isinstance(record, UndecodableBatch):
                    self._metrics.count_skipped_batch(record.fault)
                await self._dead_letters.add(record, error.kind, str(error))
        self._metrics.count_records(outcome)

    async def _wait_for_room(self) -> None:
        """Wait while too many requests wait for their Jobs.

        The view is counted only when the room is used up.
        """
        if self._max_waiting and self._room <= 0:
            self._room = self._max_waiting - self._view.count_waiting()
            if self._room <= 0:
                why = f"{self._max_waiting} RetrainRequests wait for their Jobs (triggers.maxWaiting)."
                with self._backpressure.hold(BackpressureReason.TOO_MANY_WAITING, why):
                    while self._room <= 0:
                        await asyncio.sleep(LOOK_SECONDS)
                        self._room = self._max_waiting - self._view.count_waiting()
        self._room -= 1

    async def _request(self, manifest: Manifest) -> str:
        """Create the request, however long the API server is away.

        Raises:
            MalformedRecordError: where the API server will never take this one.
        """
        name, trigger = manifest["metadata"]["name"], manifest["spec"]["trigger"]
        if self._view.requested.has(manifest):
            logger.info("The RetrainRequest %s was created before; its record came again.", name)
            return DUPLICATE
        try:
            self._view.see_request(
                await self._patiently(lambda: self._cluster.create(REQUESTS, manifest))
            )
            self._crashes.at(Point.REQUEST_CREATED)
        except AlreadyExistsError:
            try:
                return await self._check(manifest)
            except NotFoundError:
                logger.info(
                    "The RetrainRequest %s was created before and has just been deleted.", name
                )
                return DUPLICATE
        except RequestRefusedError as error:
            raise MalformedRecordError(
                Malformed.REFUSED, f"the API server refuses its request: {error}"
            ) from error
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
        existing = await self._patiently(
            lambda: self._cluster.read(REQUESTS, name), (ApiServerUnavailableError, ForbiddenError)
        )
        if is_same_trigger(manifest, existing):
            logger.info("The RetrainRequest %s exists already; its record came again.", name)
            return DUPLICATE
        raise MalformedRecordError(
            Malformed.REFUSED, f"a RetrainRequest named {name} exists that is not this record's"
        )

    async def _patiently(
        self, call: Callable[[], Awaitable[Answer]], away: tuple[type[KubeError], ...] = AWAY
    ) -> Answer:
        """Make a call until the API server has answered it; while it does not, that is said once."""

        async def again() -> Answer:  # a lambda's coroutine would come back unawaited
            return await call()

        try:
            return await call()
        except away as error:
            with self._backpressure.hold(
                BackpressureReason.API_SERVER, f"The API server does not take records: {error}"
            ):
                retry = retry_if_exception_type(away)
                return await AsyncRetrying(
                    retry=retry, wait=wait_random_exponential(0.2, max=5), reraise=True
                )(again)
