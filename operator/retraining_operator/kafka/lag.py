"""Measures the lag of the assigned partitions: how many records are not handled yet."""

from __future__ import annotations

import contextlib
import time

from kafka import TopicPartition
from kafka.errors import KafkaError

from retraining_operator.kafka.offset_tracker import OffsetTracker
from retraining_operator.kafka.topic_consumer import AT_END, TopicConsumer

REFRESH_SECONDS = 10.0
"""How often Kafka is asked for the ends of paused partitions, which are not fetched."""
ANSWER_SECONDS = 1.0


class LagMeter:
    """Measures the lag by topic and partition.

    Args:
        consumer: The member of the group.
        tracker: Knows which records are not handled yet.
    """

    def __init__(self, consumer: TopicConsumer, tracker: OffsetTracker) -> None:
        self._consumer = consumer
        self._tracker = tracker
        self._refreshed_at = 0.0
        self.lags: dict[tuple[str, int], int] = {}
        """Records that are not handled yet, by topic and partition.

        Replaced as a whole, because another thread reads it.
        """

    def measure(self, assigned: set[TopicPartition], *, is_paused: bool) -> None:
        """Compute the lag of the assigned partitions.

        Args:
            assigned: The partitions.
            is_paused: Whether no records are fetched at present.
        """
        ends = self._consumer.fetcher.ends
        if is_paused and time.monotonic() - self._refreshed_at > REFRESH_SECONDS:
            self._refreshed_at = time.monotonic()
            with contextlib.suppress(KafkaError):
                ends |= self._consumer.find_offsets(dict.fromkeys(assigned, AT_END), ANSWER_SECONDS)
        lags = {}
        for partition in assigned:
            end = ends.get(partition)
            offset = self._tracker.get_unhandled_offset(partition)
            if end is not None and offset is not None:
                lags[partition.topic, partition.partition] = max(0, end - offset)
        self.lags = lags
