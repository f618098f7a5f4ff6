"""The Kafka consumer: reads records in a thread of its own and commits an offset last.

kafka-python is synchronous, so the thread polls, hands each batch to the event loop, waits until
every record of it is handled, and only then commits. While that takes long the thread keeps polling
paused partitions: the consumer stays in its group and holds its position. Partitions that do not
move stay as they are in a rebalance (cooperative); of one that moves nothing more is committed
here, and its new owner reads again what was not committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from kafka import TopicPartition
from kafka.errors import FencedInstanceIdError, KafkaError, SaslAuthenticationFailedError

from retraining_operator.kafka.batches.item import Item
from retraining_operator.kafka.batches.record_batch import Fault
from retraining_operator.kafka.client import MissingCredentialError
from retraining_operator.kafka.consumption import STARTING, ConsumerProblem, Journal
from retraining_operator.kafka.errors import classify, explain
from retraining_operator.kafka.membership import AT_END, POLL_SECONDS, Membership
from retraining_operator.kafka.observation import general_trouble, group_trouble, partition_trouble
from retraining_operator.kafka.progress import HandleRecords, PartitionProgress
from retraining_operator.kafka.topic_consumer import TopicConsumer
from retraining_operator.observability.gauges import ConsumerState
from retraining_operator.observability.metrics import Metrics
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

BATCH_RECORDS = 200
RECONNECT_SECONDS = 2.0
CLOSE_SECONDS = 3.0
FENCED_SECONDS = 20.0
"""Longer than a process that has lost the Lease goes on: after it, another one shares the group on purpose."""
PROBE_POLL_MS = 500


class Consumer:
    """Reads one topic as one member of a consumer group.

    Args:
        settings: Where Kafka is, which topic and which group.
        accept: Handles a batch.
        metrics: Where it counts.
        instance_id: A fixed identity in the group, so that a successor takes over at once; None for
            none.
    """

    def __init__(
        self,
        settings: Kafka,
        accept: HandleRecords,
        metrics: Metrics,
        instance_id: str | None = None,
    ) -> None:
        self._settings = settings
        self._accept = accept
        self._metrics = metrics
        self._instance_id = instance_id
        self._membership: Membership | None = None
        self._oldest_record_at: float | None = None
        self._stopping = threading.Event()
        self._journal = Journal()
        self._trouble: ConsumerProblem | None = STARTING
        self._consuming = False
        self._last_poll_at: float | None = None
        self._failed: KafkaError | None = None
        self.polled_at: float | None = None
        """When the thread last came by, by the monotonic clock; it stands still where the thread hangs."""

    def state(self) -> ConsumerState:
        """Return the state that the gauges show.

        May be called from another thread than the consumer's.
        """
        membership = self._membership
        return ConsumerState(
            membership.lags if membership else {},
            self._oldest_record_at,
            assigned_partitions=len(membership.assigned) if membership else 0,
            last_poll_at=self._last_poll_at,
            is_consuming=self._consuming,
        )

    def not_ready(self) -> str | None:
        """Return why records are not read, as a sentence; None if they are, or could be if it were this one's turn."""
        return self._describe(self._trouble) if self._trouble else None

    async def run(self) -> None:
        """Consume until cancelled; the thread ends within a poll's time."""
        await self._in_thread(self._consume)

    async def probe(self) -> None:
        """Wait until the topic could be read once, without joining the group.

        Ends within seconds if cancelled.
        """
        await self._in_thread(self._prove)

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

    def _prove(self, _: asyncio.AbstractEventLoop) -> None:
        """Read from every partition and look up the group, until both have succeeded once."""
        while not self._stopping.is_set():
            consumer = self._connect(self._settings.group_id)
            if consumer is None:
                break
            try:
                if self._prove_once(consumer):
                    break
            except (KafkaError, OSError) as error:
                self._note(ConsumerProblem(classify(error).reason, explain(error)))
            finally:
                self._close(consumer)
            self._stopping.wait(RECONNECT_SECONDS)
        self.polled_at = None  # nobody polls until it is this replica's turn

    def _prove_once(self, consumer: TopicConsumer) -> bool:
        """Return whether the topic could be read; False if it is worth a new connection.

        Raises:
            KafkaError: If the user lacks a right.
        """
        consumer.assign([TopicPartition(self._settings.topic, 0)])
        deadline = time.monotonic() + RECONNECT_SECONDS
        while not self._stopping.is_set() and time.monotonic() < deadline:
            self.polled_at = time.monotonic()
            numbers = consumer.partition_numbers(self._settings.topic)
            wanted = {TopicPartition(self._settings.topic, number) for number in numbers}
            if wanted and set(consumer.assignment()) != wanted:
                consumer.assign(sorted(wanted))
            if wanted and consumer.unplaced():
                for partition, end in consumer.offsets_at(
                    dict.fromkeys(wanted, AT_END), RECONNECT_SECONDS
                ).items():
                    consumer.seek(partition, end)
            consumer.poll(PROBE_POLL_MS if wanted else 100)
            trouble = general_trouble(consumer, self._settings) or partition_trouble(
                consumer, wanted, 0.0
            )
            if trouble is None and consumer.find_coordinator(RECONNECT_SECONDS):
                consumer.fetch_committed(sorted(wanted), RECONNECT_SECONDS)
                self._note(None)
                return True
            self._note(trouble or STARTING)
            if not wanted:
                consumer.refresh_metadata()
        return False

    def _consume(self, loop: asyncio.AbstractEventLoop) -> None:
        """Consume as the member with the fixed identity; as an ordinary member if another process has taken that."""
        instance_id = self._instance_id
        self._metrics.export_skipped_batches(Fault)
        self._trouble = STARTING
        self._journal = Journal()
        try:
            while not self._stopping.is_set():
                try:
                    self._consume_as(instance_id, loop)
                except FencedInstanceIdError as error:
                    self._note(ConsumerProblem("Fenced", explain(error), is_certain=True))
                    instance_id = None
                    self._rest(FENCED_SECONDS)
                except SaslAuthenticationFailedError as error:  # the library keeps it for good
                    self._note(
                        ConsumerProblem(classify(error).reason, explain(error), is_certain=True)
                    )
                    self._rest(RECONNECT_SECONDS)
        finally:
            self._consuming = False
            self._last_poll_at = None

    def _rest(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping.is_set() and time.monotonic() < deadline:
            self.polled_at = time.monotonic()
            self._stopping.wait(POLL_SECONDS)

    def _consume_as(self, instance_id: str | None, loop: asyncio.AbstractEventLoop) -> None:
        consumer = self._connect(self._settings.group_id, instance_id)
        if consumer is None:
            return
        logger.info(
            "Listening to the topic %s at %s as group %s.",
            self._settings.topic,
            self._settings.bootstrap_servers,
            self._settings.group_id,
        )
        membership = Membership(consumer, self._settings)
        self._membership = membership
        try:
            while not self._stopping.is_set():
                self._step(consumer, membership, loop)
        finally:
            self._membership = None
            self._oldest_record_at = None
            self._close(consumer)

    def _close(self, consumer: TopicConsumer) -> None:
        with contextlib.suppress(KafkaError):
            consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))

    def _connect(
        self, group_id: str | None, instance_id: str | None = None
    ) -> TopicConsumer | None:
        """Wait for Kafka, however long it takes; None where a stop came first."""
        while not self._stopping.is_set():
            self.polled_at = time.monotonic()
            try:
                return TopicConsumer(
                    self._settings, group_id, instance_id, max_poll_records=BATCH_RECORDS
                )
            except (KafkaError, OSError, MissingCredentialError) as error:
                self._note(
                    ConsumerProblem(
                        classify(error).reason,
                        f"Kafka does not answer: {explain(error)}",
                        is_certain=True,
                    )
                )
                self._stopping.wait(RECONNECT_SECONDS)
        return None

    def _step(
        self, consumer: TopicConsumer, membership: Membership, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.polled_at = time.monotonic()
        try:
            records = membership.poll()
            topic_id = membership.topic_id()
            if records or membership.unsettled(topic_id):
                progress = self._hand_over(consumer, membership, loop, records, topic_id)
                if progress is not None:
                    membership.take(records, topic_id, progress)
            membership.commit()
            membership.measure()
        except (FencedInstanceIdError, SaslAuthenticationFailedError):
            raise
        except KafkaError as error:
            self._failed = error
            self._observe(consumer, membership)
            self._stopping.wait(RECONNECT_SECONDS)
        else:
            self._failed = None
            self._observe(consumer, membership)

    def _observe(self, consumer: TopicConsumer, membership: Membership) -> None:
        """Note whether records are read."""
        trouble = general_trouble(consumer, self._settings)
        if trouble is None and self._failed is not None:
            trouble = ConsumerProblem(classify(self._failed).reason, explain(self._failed))
        resumed_at = None if membership.is_paused else membership.resumed_at
        trouble = (
            trouble
            or group_trouble(consumer)
            or partition_trouble(consumer, membership.assigned, resumed_at)
        )
        if trouble is not None and trouble.reason == "LoginRefused":
            raise SaslAuthenticationFailedError(trouble.sentence)
        self._consuming = trouble is None
        if trouble is None:
            self._last_poll_at = time.time()
        self._note(trouble, len(membership.assigned))

    def _note(self, trouble: ConsumerProblem | None, partitions: int | None = None) -> None:
        """Keep the state for `/ready`, and log it if it has changed."""
        is_news = self._journal.note(trouble, time.monotonic())
        self._trouble = trouble
        if trouble is not None:
            self._consuming = False
            if is_news:
                logger.warning("%s", self._describe(trouble))
        elif is_news and partitions is not None:
            logger.info(
                "Consuming the topic %s at %s as group %s: %d partition(s).",
                self._settings.topic,
                self._settings.bootstrap_servers,
                self._settings.group_id,
                partitions,
            )

    def _describe(self, trouble: ConsumerProblem) -> str:
        return (
            f"Not consuming the topic {self._settings.topic} at {self._settings.bootstrap_servers} "
            f"(kafka.bootstrapServers) as group {self._settings.group_id}: {trouble.sentence}"
        )

    def _hand_over(
        self,
        consumer: TopicConsumer,
        membership: Membership,
        loop: asyncio.AbstractEventLoop,
        records: Sequence[Item],
        topic_id: str | None,
    ) -> PartitionProgress | None:
        """Wait until every record is handled; None where a stop came first, and then nothing is committed."""
        times = [record.timestamp for record in records if record.timestamp >= 0]
        self._oldest_record_at = min(times) / 1000 if times else None
        handled = asyncio.run_coroutine_threadsafe(self._run_accept(records, topic_id), loop)
        while not done(handled, POLL_SECONDS):
            if self._stopping.is_set():
                handled.cancel()
                return None
            self.polled_at = time.monotonic()
            membership.stay()
            self._observe(consumer, membership)
        self._oldest_record_at = None
        membership.resume()
        return handled.result()

    async def _run_accept(self, records: Sequence[Item], topic_id: str | None) -> PartitionProgress:
        return await self._accept(records, topic_id)


def done(future: Future[PartitionProgress], seconds: float) -> bool:
    """Wait a while for a future; tell whether it is done."""
    try:
        future.exception(timeout=seconds)
    except TimeoutError:
        return False
    return True
