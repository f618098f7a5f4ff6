"""The Kafka consumer: reads records in a thread of its own and commits an offset last.

kafka-python is synchronous, so the thread polls, hands each batch to the event loop, waits until every record of it
is handled, and only then commits. While that takes long the thread keeps polling paused partitions: the consumer stays
in its group and holds its position. Partitions that do not move stay as they are in a rebalance (cooperative); of one
that moves nothing more is committed here, and its new owner reads again what was not committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future

from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError

from retraining_operator.gauges import ConsumerState
from retraining_operator.metrics import Metrics
from retraining_operator.settings import Kafka
from retraining_operator.triggers.kafka_client import MissingCredential, client_options
from retraining_operator.triggers.membership import POLL_SECONDS, Membership, Progress

logger = logging.getLogger(__name__)

BATCH_RECORDS = 200
RECONNECT_SECONDS = 2.0
CLOSE_SECONDS = 3.0
SESSION_SECONDS = 10
"""When the group gives up a member that was killed: before a standby has its Lease, or the records wait (45 s)."""
METADATA_SECONDS = 30
"""How long a topic that was deleted and made again may go unnoticed."""

Accept = Callable[[Sequence[ConsumerRecord], str | None], Awaitable[Progress]]


class Consumer:
    """Reads one topic as one member of a consumer group."""

    def __init__(self, settings: Kafka, accept: Accept, metrics: Metrics) -> None:
        self._settings = settings
        self._accept = accept
        self._metrics = metrics
        self._membership: Membership | None = None
        self._oldest_record_at: float | None = None
        self._stopping = threading.Event()
        self.answered = False
        """Whether Kafka has answered since the start."""
        self.polled_at: float | None = None
        """When the thread last came by, by the monotonic clock; it stands still where the thread hangs."""

    def state(self) -> ConsumerState:
        """Return the state that the gauges show. May be called from another thread than the consumer's."""
        membership = self._membership
        return ConsumerState(membership.lags if membership else {}, self._oldest_record_at)

    async def run(self) -> None:
        """Consume until cancelled; the thread ends within a poll's time."""
        await self._in_thread(self._consume)

    async def probe(self) -> None:
        """Wait until Kafka has answered once, without joining the group; cancelled, it ends within a few seconds."""
        await self._in_thread(self._answer)

    async def _in_thread(self, work: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        self._stopping.clear()
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(None, work, loop)
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._stopping.set()
            await thread
            raise

    def _answer(self, _: asyncio.AbstractEventLoop) -> None:
        consumer = self._connect()
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))
        self.polled_at = None  # nobody polls until it is this replica's turn

    def _consume(self, loop: asyncio.AbstractEventLoop) -> None:
        consumer = self._connect()
        if consumer is None:
            return
        logger.info(
            "Listening to the topic %s at %s as group %s.",
            self._settings.topic,
            self._settings.bootstrap_servers,
            self._settings.group_id,
        )
        membership = Membership(consumer, self._settings, self._metrics)
        self._membership = membership
        try:
            while not self._stopping.is_set():
                self._step(membership, loop)
        finally:
            self._membership = None
            self._oldest_record_at = None
            with contextlib.suppress(KafkaError):
                consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))

    def _connect(self) -> KafkaConsumer | None:
        """Wait for Kafka, however long it takes; None where a stop came first."""
        while not self._stopping.is_set():
            self.polled_at = time.monotonic()
            try:
                consumer = KafkaConsumer(
                    **client_options(self._settings),
                    group_id=self._settings.group_id,
                    session_timeout_ms=SESSION_SECONDS * 1000,
                    enable_auto_commit=False,
                    metrics_enabled=False,
                    auto_offset_reset="none",  # where to start is decided here, for each of its causes
                    partition_assignment_strategy=(CooperativeStickyAssignor,),
                    max_poll_records=BATCH_RECORDS,
                    metadata_max_age_ms=METADATA_SECONDS * 1000,
                )
            except (KafkaError, OSError, MissingCredential) as error:
                logger.warning(
                    "Kafka at %s (kafka.bootstrapServers) does not answer: %s. Trying again in %.0f s.",
                    self._settings.bootstrap_servers,
                    str(error) or type(error).__name__,
                    RECONNECT_SECONDS,
                )
                self._stopping.wait(RECONNECT_SECONDS)
            else:
                self.answered = True
                return consumer
        return None

    def _step(self, membership: Membership, loop: asyncio.AbstractEventLoop) -> None:
        self.polled_at = time.monotonic()
        try:
            records = membership.poll()
            topic_id = membership.topic_id()
            if records or membership.unsettled(topic_id):
                progress = self._hand_over(membership, loop, records, topic_id)
                if progress is not None:
                    membership.take(records, topic_id, progress)
            membership.commit()
            membership.measure()
        except KafkaError as error:
            logger.warning("Kafka could not be polled: %s. Trying again.", str(error) or type(error).__name__)
            self._stopping.wait(RECONNECT_SECONDS)

    def _hand_over(
        self,
        membership: Membership,
        loop: asyncio.AbstractEventLoop,
        records: Sequence[ConsumerRecord],
        topic_id: str | None,
    ) -> Progress | None:
        """Wait until every record is handled; None where a stop came first, and then nothing is committed."""
        self._oldest_record_at = min((record.timestamp / 1000 for record in records), default=None)
        handled = asyncio.run_coroutine_threadsafe(self._run_accept(records, topic_id), loop)
        while not done(handled, POLL_SECONDS):
            if self._stopping.is_set():
                handled.cancel()
                return None
            self.polled_at = time.monotonic()
            membership.stay()
        self._oldest_record_at = None
        membership.resume()
        return handled.result()

    async def _run_accept(self, records: Sequence[ConsumerRecord], topic_id: str | None) -> Progress:
        return await self._accept(records, topic_id)


def done(future: Future[Progress], seconds: float) -> bool:
    """Wait a while for a future; tell whether it is done."""
    try:
        future.exception(timeout=seconds)
    except TimeoutError:
        return False
    return True
