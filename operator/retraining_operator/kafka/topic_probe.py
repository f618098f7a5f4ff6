"""Checks that the topic can be read, without joining the consumer group."""

from __future__ import annotations

import threading
import time

from kafka import TopicPartition
from kafka.errors import KafkaError

from retraining_operator.kafka.connection import RECONNECT_SECONDS, close, connect
from retraining_operator.kafka.consumer_problem import STARTING
from retraining_operator.kafka.consumer_status import ConsumerStatus
from retraining_operator.kafka.problem_detection import find_partition_problem, find_topic_problem
from retraining_operator.kafka.topic_consumer import AT_END, TopicConsumer
from retraining_operator.settings import Kafka

POLL_MS = 500
POLL_WITHOUT_PARTITIONS_MS = 100


class TopicProbe:
    """Reads every partition and finds the group's coordinator until both have succeeded once.

    Args:
        settings: The brokers, the topic and the group.
        status: Gets the problems.
        stopping: Ends the probe.
    """

    def __init__(self, settings: Kafka, status: ConsumerStatus, stopping: threading.Event) -> None:
        self._settings = settings
        self._status = status
        self._stopping = stopping

    def run(self) -> None:
        """Wait until the topic can be read. Blocks, so it runs in a thread."""
        while not self._stopping.is_set():
            consumer = connect(self._settings, self._status, self._stopping)
            if consumer is None:
                break
            try:
                if self._try_reading(consumer):
                    break
            except (KafkaError, OSError) as error:
                self._status.report_error(error)
            finally:
                close(consumer)
            self._stopping.wait(RECONNECT_SECONDS)
        self._status.polled_at = None  # nobody polls until this replica leads

    def _try_reading(self, consumer: TopicConsumer) -> bool:
        """Return whether the topic was read. If not, a new connection may help.

        Raises:
            KafkaError: If the user lacks a right.
        """
        topic = self._settings.topic
        consumer.assign([TopicPartition(topic, 0)])
        deadline = time.monotonic() + RECONNECT_SECONDS
        while not self._stopping.is_set() and time.monotonic() < deadline:
            self._status.touch()
            numbers = consumer.get_partition_numbers(topic)
            partitions = {TopicPartition(topic, number) for number in numbers}
            if partitions and set(consumer.assignment()) != partitions:
                consumer.assign(sorted(partitions))
            if partitions and consumer.find_unplaced():
                ends = consumer.find_offsets(dict.fromkeys(partitions, AT_END), RECONNECT_SECONDS)
                for partition, end in ends.items():
                    consumer.seek(partition, end)
            consumer.poll(POLL_MS if partitions else POLL_WITHOUT_PARTITIONS_MS)
            problem = find_topic_problem(consumer, self._settings) or find_partition_problem(
                consumer, partitions, 0.0
            )
            if problem is None and consumer.find_coordinator(RECONNECT_SECONDS):
                consumer.fetch_committed(sorted(partitions), RECONNECT_SECONDS)
                self._status.report(None)
                return True
            self._status.report(problem or STARTING)
            if not partitions:
                consumer.refresh_metadata()
        return False
