"""The Kafka consumer: reads records in its own thread and commits their offsets after handling.

kafka-python is synchronous. The thread polls, passes each batch to the event loop, waits until
every record of it is handled, and only then commits. Meanwhile it polls paused partitions, so that
the consumer stays in its group. Partitions that do not move stay assigned during a rebalance
(cooperative). A partition that moves is not committed any more; its new owner reads again what was
not committed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from kafka.errors import FencedInstanceIdError, KafkaError, SaslAuthenticationFailedError

from retraining_operator.kafka.batches.item import Item
from retraining_operator.kafka.batches.record_batch import Fault
from retraining_operator.kafka.connection import RECONNECT_SECONDS, close, connect
from retraining_operator.kafka.consumer_problem import ConsumerProblem
from retraining_operator.kafka.consumer_status import ConsumerStatus
from retraining_operator.kafka.errors import classify, explain
from retraining_operator.kafka.membership import POLL_SECONDS, Membership
from retraining_operator.kafka.problem_detection import (
    find_group_problem,
    find_partition_problem,
    find_topic_problem,
)
from retraining_operator.kafka.progress import HandleRecords, PartitionProgress
from retraining_operator.kafka.topic_consumer import TopicConsumer
from retraining_operator.kafka.topic_probe import TopicProbe
from retraining_operator.observability.gauges import ConsumerState
from retraining_operator.observability.metrics import Metrics
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

FENCED_SECONDS = 20.0
"""How long to wait after another process has taken the fixed identity.

A process that has lost the Lease stops sooner. A process that uses the identity for longer does so
on purpose, so this one then joins the group without a fixed identity.
"""


class Consumer:
    """Reads one topic as one member of a consumer group.

    Args:
        settings: The brokers, the topic and the group.
        handle: Handles a batch of records.
        metrics: Counts skipped batches.
        instance_id: A fixed identity in the group, so that a successor takes over at once, or None.
    """

    def __init__(
        self,
        settings: Kafka,
        handle: HandleRecords,
        metrics: Metrics,
        instance_id: str | None = None,
    ) -> None:
        self._settings = settings
        self._handle = handle
        self._metrics = metrics
        self._instance_id = instance_id
        self._membership: Membership | None = None
        self._oldest_record_at: float | None = None
        self._stopping = threading.Event()
        self._status = ConsumerStatus(settings)
        self._last_error: KafkaError | None = None

    @property
    def polled_at(self) -> float | None:
        """When the thread was last active, in seconds of the monotonic clock.

        It does not change while the thread hangs. None if no thread has to be active.
        """
        return self._status.polled_at

    def get_state(self) -> ConsumerState:
        """Return the state for the gauges. May be called from any thread."""
        membership = self._membership
        return ConsumerState(
            membership.lags if membership else {},
            self._oldest_record_at,
            assigned_partitions=len(membership.assigned) if membership else 0,
            last_poll_at=self._status.last_poll_at,
            is_consuming=self._status.is_consuming,
        )

    def describe_problem(self) -> str | None:
        """Return why records are not read; None if they are, or will be once this replica leads."""
        return self._status.describe_problem()

    async def run(self) -> None:
        """Consume until cancelled. The thread ends within the time of a poll."""
        await self._run_in_thread(self._consume)

    async def probe(self) -> None:
        """Wait until the topic could be read once, without joining the group.

        Ends within seconds if cancelled.
        """
        probe = TopicProbe(self._settings, self._status, self._stopping)
        await self._run_in_thread(lambda _: probe.run())

    async def _run_in_thread(self, work: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        self._stopping.clear()
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(None, work, loop)
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._stopping.set()
            await thread
            raise

    def _consume(self, loop: asyncio.AbstractEventLoop) -> None:
        """Consume with the fixed identity, or without it if another process has taken it."""
        instance_id = self._instance_id
        self._metrics.export_skipped_batches(Fault)
        self._status.start()
        try:
            while not self._stopping.is_set():
                try:
                    self._consume_as(instance_id, loop)
                except FencedInstanceIdError as error:
                    self._status.report(ConsumerProblem("Fenced", explain(error), is_certain=True))
                    instance_id = None
                    self._wait(FENCED_SECONDS)
                except SaslAuthenticationFailedError as error:
                    # kafka-python never retries a failed login: connect again
                    self._status.report_error(error, is_certain=True)
                    self._wait(RECONNECT_SECONDS)
        finally:
            self._status.stop()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping.is_set() and time.monotonic() < deadline:
            self._status.touch()
            self._stopping.wait(POLL_SECONDS)

    def _consume_as(self, instance_id: str | None, loop: asyncio.AbstractEventLoop) -> None:
        consumer = connect(self._settings, self._status, self._stopping, instance_id)
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
                self._poll_once(consumer, membership, loop)
        finally:
            self._membership = None
            self._oldest_record_at = None
            close(consumer)

    def _poll_once(
        self, consumer: TopicConsumer, membership: Membership, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._status.touch()
        try:
            records = membership.poll()
            topic_id = membership.get_topic_id()
            if records or membership.needs_handover(topic_id):
                progress = self._hand_over(consumer, membership, loop, records, topic_id)
                if progress is not None:
                    membership.finish_batch(records, topic_id, progress)
            membership.commit_handled()
            membership.measure_lag()
        except (FencedInstanceIdError, SaslAuthenticationFailedError):
            raise
        except KafkaError as error:
            self._last_error = error
            self._update_status(consumer, membership)
            self._stopping.wait(RECONNECT_SECONDS)
        else:
            self._last_error = None
            self._update_status(consumer, membership)

    def _update_status(self, consumer: TopicConsumer, membership: Membership) -> None:
        error = self._last_error
        problem = find_topic_problem(consumer, self._settings)
        if problem is None and error is not None:
            problem = ConsumerProblem(classify(error).reason, explain(error))
        resumed_at = None if membership.is_paused else membership.resumed_at
        problem = (
            problem
            or find_group_problem(consumer)
            or find_partition_problem(consumer, membership.assigned, resumed_at)
        )
        if problem is not None and problem.reason == "LoginRefused":
            raise SaslAuthenticationFailedError(problem.message)
        self._status.is_consuming = problem is None
        if problem is None:
            self._status.last_poll_at = time.time()
        self._status.report(problem, len(membership.assigned))

    def _hand_over(
        self,
        consumer: TopicConsumer,
        membership: Membership,
        loop: asyncio.AbstractEventLoop,
        records: Sequence[Item],
        topic_id: str | None,
    ) -> PartitionProgress | None:
        """Wait until every record is handled. Return None if the process stops before."""
        times_ms = [record.timestamp for record in records if record.timestamp >= 0]
        self._oldest_record_at = min(times_ms) / 1000 if times_ms else None
        handling = asyncio.run_coroutine_threadsafe(self._run_handler(records, topic_id), loop)
        while not wait_for(handling, POLL_SECONDS):
            if self._stopping.is_set():
                handling.cancel()
                return None
            self._status.touch()
            membership.poll_paused()
            self._update_status(consumer, membership)
        self._oldest_record_at = None
        membership.resume()
        return handling.result()

    async def _run_handler(
        self, records: Sequence[Item], topic_id: str | None
    ) -> PartitionProgress:
        return await self._handle(records, topic_id)


def wait_for(future: Future[PartitionProgress], seconds: float) -> bool:
    """Wait for a future.

    Args:
        future: The future.
        seconds: How long to wait.

    Returns:
        Whether it is done.
    """
    try:
        future.exception(timeout=seconds)
    except TimeoutError:
        return False
    return True
