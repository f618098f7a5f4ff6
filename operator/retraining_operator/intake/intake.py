"""Turns Kafka records into RetrainRequests or dead letters, and stores their offsets as handled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from retraining_operator.api.trigger import MalformedRecordError
from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.intake.api_retry import ApiRetry
from retraining_operator.intake.backpressure import Backpressure, BackpressureReason
from retraining_operator.intake.catch_up import catch_up
from retraining_operator.intake.handled_offsets import HandledOffsets
from retraining_operator.intake.record_parser import format_position, get_position, parse_record
from retraining_operator.intake.request_creator import RequestCreator
from retraining_operator.intake.room import Room
from retraining_operator.kafka.batches.item import Item, UndecodableBatch
from retraining_operator.kafka.dead_letters import DeadLetters
from retraining_operator.kafka.progress import PartitionOffsets, PartitionProgress
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import KubeError
from retraining_operator.observability.gauges import IntakeState
from retraining_operator.observability.metrics import SKIPPED, Metrics
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

PARALLEL_RECORDS = 16
TOUCH_SECONDS = 30
"""Shorter than the time for which the API server stores changes, a minute or more."""


class Intake:
    """Handles batches of records.

    Records that the handled offsets include are skipped without a call of the API server.

    Args:
        cluster: The API server.
        cache: Updated with each created request.
        metrics: Counts the records.
        write_priority: Writes of the intake go before writes that only inform.
        fault_injection: The points at which a test stops the process.
        settings: The operator's settings.
    """

    def __init__(  # noqa: PLR0913  # its dependencies, by keyword
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
        self._cache = cache
        self._metrics = metrics
        self._fault_injection = fault_injection
        self._write_priority = write_priority
        self._backpressure = Backpressure()
        self._api_retry = ApiRetry(self._backpressure)
        self._request_creator = RequestCreator(
            cluster=cluster,
            cache=cache,
            fault_injection=fault_injection,
            backpressure=self._backpressure,
        )
        self._room = Room(cache, self._backpressure, settings.triggers.max_waiting)
        self._dead_letters = DeadLetters(
            settings.kafka,
            partial(self._backpressure.apply, BackpressureReason.DEAD_LETTERS),
        )
        self._handled_offsets = HandledOffsets(
            cluster, settings.handled_offsets_name, settings.kafka.topic
        )
        self._slots = asyncio.Semaphore(PARALLEL_RECORDS)
        self._opened = asyncio.Event()
        self._opened.set()
        self._is_prepared = False
        self._batch_lock = asyncio.Lock()

    def close(self) -> None:
        """Handle no records until `open`. Called when this process starts to lead."""
        self._opened.clear()
        self._is_prepared = False

    def open(self) -> None:
        """Handle records from now on."""
        self._opened.set()

    async def prepare(self) -> None:
        """Read the handled offsets, and the requests that changed since they were last written."""
        version = await self._api_retry.call(self._handled_offsets.reload)
        await catch_up(self._cluster, self._cache.requested_positions, version)
        self._is_prepared = True

    async def keep_fresh(self) -> None:
        """Renew the resource version of the handled offsets every 30 s, until cancelled.

        The next process then finds all later changes of requests in the API server's history.
        """
        while True:
            await asyncio.sleep(TOUCH_SECONDS)
            try:
                async with self._batch_lock:
                    await self._handled_offsets.touch()
            except KubeError as error:
                logger.debug("The ConfigMap of handled offsets could not be renewed: %s", error)

    def get_state(self) -> IntakeState:
        """Return the backpressure and the number of open dead letters."""
        return IntakeState(self._backpressure.get_state(), self._dead_letters.count_open())

    async def accept(self, records: Sequence[Item], topic_id: str | None = "") -> PartitionProgress:
        """Handle a batch.

        Args:
            records: In the order of each partition.
            topic_id: Kafka's id of their topic, or None if it is uncertain.

        Returns:
            The progress. Every record is a request, a dead letter, skipped, or named as open.
        """
        await self._opened.wait()
        async with self._batch_lock:
            if not self._is_prepared:
                await self.prepare()
            with self._write_priority.claim():
                return await self._handle_batch(records, topic_id)

    async def _handle_batch(
        self, records: Sequence[Item], topic_id: str | None
    ) -> PartitionProgress:
        self._fault_injection.reach(Point.RECORDS_TAKEN)
        former = self._handled_offsets.reset_former(topic_id)
        known_partitions = set(self._handled_offsets.entries)
        new = [
            record
            for record in records
            if not self._handled_offsets.covers(topic_id, get_position(record))
        ]
        self._log_skipped(len(records) - len(new), records)
        await asyncio.gather(*(self._handle_record(record) for record in new))
        await self._dead_letters.send_open()
        open_offsets = self._dead_letters.open_offsets
        self._fault_injection.reach(Point.RECORDS_HANDLED)
        if topic_id is not None:
            delivered = self._dead_letters.collect_delivered()
            # Records of a partition that was reset may be the last ones of the earlier topic.
            positions = [get_position(record) for record in new]
            handled = [position for position in positions if position.partition not in former]
            await self._api_retry.call(
                lambda: self._handled_offsets.advance(topic_id, handled, open_offsets, delivered)
            )
        self._fault_injection.reach(Point.OFFSETS_WRITTEN)
        handled_before = known_partitions - former.keys()
        return PartitionProgress(find_first_open(open_offsets), former, handled_before)

    def _log_skipped(self, count: int, records: Sequence[Item]) -> None:
        if count:
            self._metrics.count_records(SKIPPED, count)
            logger.info(
                "Skipped %d record(s) up to %s: they were handled before. "
                "To create missing requests, use `replay`.",
                count,
                get_position(records[-1]),
            )

    async def _handle_record(self, record: Item) -> None:
        async with self._slots:
            try:
                trigger = parse_record(record)
                async with self._room.take():
                    outcome = await self._request_creator.create(trigger)
            except MalformedRecordError as error:
                outcome = error.kind
                await self._handle_malformed(record, error)
        self._metrics.count_records(outcome)

    async def _handle_malformed(self, record: Item, error: MalformedRecordError) -> None:
        is_batch = isinstance(record, UndecodableBatch)
        logger.warning(
            "Skipped the %s %s (%s): %s.",
            "batch" if is_batch else "record",
            format_position(record),
            error.kind,
            error,
        )
        if is_batch:
            self._metrics.count_skipped_batch(record.fault)
        await self._dead_letters.add(record, error.kind, str(error))


def find_first_open(open_offsets: PartitionOffsets) -> dict[int, int]:
    """Return the lowest open offset by partition."""
    first_open: dict[int, int] = {}
    for partition, offset in open_offsets:
        first_open[partition] = min(offset, first_open.get(partition, offset))
    return first_open
