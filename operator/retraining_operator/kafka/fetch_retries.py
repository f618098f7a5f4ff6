"""Retries of fetches: the backoff of a partition, and when to give up on an unreadable offset."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kafka import TopicPartition

from retraining_operator.kafka.batches.item import UndecodableBatch
from retraining_operator.kafka.batches.record_batch import Fault

BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 5.0
PATIENCE_SECONDS = 2.0
"""How long a damaged answer is requested again: the connection may be broken, or a leader move."""
BROKER_PATIENCE_SECONDS = 30.0
"""The same if the broker cannot read its log: a replica may take over, or a disk come back."""
MIN_TRIES = 3


class PartitionBackoff:
    """Exponential backoff for each partition, from 0.2 s to 5 s."""

    def __init__(self) -> None:
        self._until: dict[TopicPartition, float] = {}
        self._counts: dict[TopicPartition, int] = {}

    def is_due(self, partition: TopicPartition, now: float) -> bool:
        """Return whether a partition may be fetched.

        Args:
            partition: The partition.
            now: The time in seconds of the monotonic clock.

        Returns:
            False during the backoff.
        """
        return self._until.get(partition, 0.0) <= now

    def extend(self, partition: TopicPartition) -> None:
        """Start the next, longer backoff of a partition."""
        count = self._counts[partition] = self._counts.get(partition, -1) + 1
        seconds = min(BACKOFF_SECONDS * 2 ** min(count, 10), MAX_BACKOFF_SECONDS)
        self._until[partition] = time.monotonic() + seconds

    def reset(self, partition: TopicPartition) -> None:
        """End the backoff of a partition."""
        self._until.pop(partition, None)
        self._counts.pop(partition, None)


@dataclass
class UnreadableOffset:
    """An offset of a partition that could not be read.

    Args:
        position: The offset.
        since: When it was first requested, in seconds of the monotonic clock.
        tries: How often it was requested.
    """

    position: int
    since: float
    tries: int = 0


class UnreadableOffsets:
    """The unreadable offset of each partition, if any."""

    def __init__(self) -> None:
        self._by_partition: dict[TopicPartition, UnreadableOffset] = {}

    def count_try(self, item: UndecodableBatch) -> bool:
        """Count a failed try to read an offset.

        Returns:
            Whether to skip the offset: after 3 tries and 2 s, or 30 s if the broker cannot read it.
        """
        partition = TopicPartition(item.topic, item.partition)
        now = time.monotonic()
        unreadable = self._by_partition.get(partition)
        if unreadable is None or unreadable.position != item.first_offset:
            unreadable = self._by_partition[partition] = UnreadableOffset(item.first_offset, now)
        unreadable.tries += 1
        patience = BROKER_PATIENCE_SECONDS if item.fault is Fault.UNREADABLE else PATIENCE_SECONDS
        return unreadable.tries >= MIN_TRIES and now - unreadable.since >= patience

    def reset(self, partition: TopicPartition) -> None:
        """Forget the offset of a partition."""
        self._by_partition.pop(partition, None)
