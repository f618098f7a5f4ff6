"""The Kafka consumer: reads records in a thread of its own and commits an offset last.

kafka-python is synchronous, so the thread polls, hands each batch to the event loop, waits until every record of it
is a RetrainRequest or set aside, and only then commits. While the API server is away the thread keeps polling paused
partitions: the consumer stays in its group and holds its position.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaError

from retraining_operator.metrics import Metrics
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""The longest that a poll blocks, and so the longest that a stop waits for it; a record ends it at once."""
BATCH_RECORDS = 200
RECONNECT_SECONDS = 2.0
COMMIT_SECONDS = 10.0
CLOSE_SECONDS = 3.0

Accept = Callable[[Sequence[ConsumerRecord]], Awaitable[None]]


class Consumer:
    """Reads one topic as one member of a consumer group."""

    def __init__(self, settings: Kafka, accept: Accept, metrics: Metrics) -> None:
        self._settings = settings
        self._accept = accept
        self._metrics = metrics
        self._stopping = threading.Event()
        self.answered = False
        """Whether Kafka has answered since the start."""
        self.polled_at: float | None = None
        """When the thread last came by, by the monotonic clock; it stands still where the thread hangs."""

    async def run(self) -> None:
        """Consume until cancelled; the thread ends within a poll's time."""
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(None, self._consume, loop)
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._stopping.set()
            await thread
            raise

    def _consume(self, loop: asyncio.AbstractEventLoop) -> None:
        consumer = self._connect()
        if consumer is None:
            return
        try:
            while not self._stopping.is_set():
                self._step(consumer, loop)
        finally:
            consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))

    def _connect(self) -> KafkaConsumer | None:
        """Wait for Kafka, however long it takes; None where a stop came first."""
        while not self._stopping.is_set():
            self.polled_at = time.monotonic()
            try:
                consumer = KafkaConsumer(
                    self._settings.topic,
                    bootstrap_servers=self._settings.bootstrap_servers.split(","),
                    group_id=self._settings.group_id,
                    client_id="retraining-operator",
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",  # a trigger sent before the first start counts
                    max_poll_records=BATCH_RECORDS,
                    bootstrap_timeout_ms=5000,
                    metrics_enabled=False,
                )
            except (KafkaError, OSError) as error:
                logger.warning(
                    "Kafka at %s (kafka.bootstrapServers) does not answer: %s. Trying again in %.0f s.",
                    self._settings.bootstrap_servers,
                    error or type(error).__name__,
                    RECONNECT_SECONDS,
                )
                self._stopping.wait(RECONNECT_SECONDS)
            else:
                logger.info(
                    "Listening to the topic %s at %s as group %s.",
                    self._settings.topic,
                    self._settings.bootstrap_servers,
                    self._settings.group_id,
                )
                self.answered = True
                return consumer
        return None

    def _step(self, consumer: KafkaConsumer, loop: asyncio.AbstractEventLoop) -> None:
        self.polled_at = time.monotonic()
        try:
            batches = consumer.poll(timeout_ms=int(POLL_SECONDS * 1000))
        except KafkaError as error:
            logger.warning("Kafka could not be polled: %s. Trying again.", error or type(error).__name__)
            self._stopping.wait(RECONNECT_SECONDS)
            return
        records = [record for batch in batches.values() for record in batch]
        if records and self._hand_over(consumer, loop, records):
            self._commit(consumer, records)
        self._measure(consumer)

    def _hand_over(
        self, consumer: KafkaConsumer, loop: asyncio.AbstractEventLoop, records: Sequence[ConsumerRecord]
    ) -> bool:
        """Wait until every record is handled; False where a stop came first, and then nothing is committed."""
        handled = asyncio.run_coroutine_threadsafe(self._run_accept(records), loop)
        while not done(handled, POLL_SECONDS):
            if self._stopping.is_set():
                handled.cancel()
                return False
            self.polled_at = time.monotonic()
            self._stay(consumer)
        handled.result()
        consumer.resume(*consumer.paused())
        return True

    def _stay(self, consumer: KafkaConsumer) -> None:
        """Keep the place in the group without taking records: paused partitions give none."""
        consumer.pause(*consumer.assignment())
        # A partition that this very poll has brought is not paused yet; its records are left for later.
        for partition, early in consumer.poll(0).items():
            consumer.seek(partition, early[0].offset)

    async def _run_accept(self, records: Sequence[ConsumerRecord]) -> None:
        await self._accept(records)

    def _commit(self, consumer: KafkaConsumer, records: Sequence[ConsumerRecord]) -> None:
        """Commit behind the last record of each partition."""
        offsets = {
            TopicPartition(record.topic, record.partition): OffsetAndMetadata(record.offset + 1, "", -1)
            for record in records  # offsets of a partition come in order, so the last one stays
        }
        try:
            consumer.commit(offsets, timeout_ms=int(COMMIT_SECONDS * 1000))
        except CommitFailedError:
            logger.info(
                "The partitions moved to another consumer before the commit; it finds the requests made already."
            )
        except KafkaError as error:
            logger.warning(
                "The offsets could not be committed: %s. Their records may come again; they make no second request.",
                error or type(error).__name__,
            )

    def _measure(self, consumer: KafkaConsumer) -> None:
        """Tell how many records wait; a partition that has not answered yet keeps its last figure."""
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            with contextlib.suppress(KafkaError):
                position = consumer.position(partition, timeout_ms=0) if end is not None else None
                if position is not None:
                    self._metrics.lag(partition.topic, partition.partition, max(0, end - position))


def done(future: Future[None], seconds: float) -> bool:
    """Wait a while for a future; tell whether it is done."""
    try:
        future.exception(timeout=seconds)
    except TimeoutError:
        return False
    return True
