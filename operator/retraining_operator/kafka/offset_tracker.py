"""Tracks how far each partition of a group member is read and handled, and commits the offsets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, FencedInstanceIdError, KafkaError

from retraining_operator.kafka.errors import classify, describe
from retraining_operator.kafka.start_position import CommitMetadata, TopicIdentity
from retraining_operator.kafka.topic_consumer import TopicConsumer

logger = logging.getLogger(__name__)

COMMIT_SECONDS = 10.0


@dataclass
class TopicState:
    """What is known of the topic that the group reads.

    Args:
        topic_id: Kafka's id of the topic, empty if Kafka has none, None if it is not known yet.
        partitions_at_start: How many partitions the topic had when the group started, or None.
    """

    topic_id: str | None = None
    partitions_at_start: int | None = None


class OffsetTracker:
    """Tracks offsets by partition.

    Args:
        consumer: The member of the group.
        topic: The topic, for the metadata of commits.
    """

    def __init__(self, consumer: TopicConsumer, topic: TopicState) -> None:
        self._consumer = consumer
        self._topic = topic
        self._positions: dict[TopicPartition, int] = {}
        """Up to where each partition is handled. Control records and gaps count as handled."""
        self._committed: dict[TopicPartition, int] = {}
        self._commit_problem: str | None = None
        self.in_flight: dict[TopicPartition, int] = {}
        """The first offset of each partition's records that were read and are not handled yet."""
        self.first_open: Mapping[int, int] = {}
        """By partition number, the first offset that is open although later records are handled."""

    def forget(self, partition: TopicPartition) -> None:
        """Forget a partition."""
        for offsets in (self.in_flight, self._positions, self._committed):
            offsets.pop(partition, None)
        self._consumer.fetcher.forget(partition)

    def seek(self, partition: TopicPartition, offset: int | None) -> None:
        """Read a partition from another offset.

        Args:
            partition: The partition.
            offset: The next offset to read, or None for the earliest record.
        """
        self.forget(partition)
        if offset is None:
            self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek(partition, offset)

    def set_start(self, partition: TopicPartition, offset: int, *, is_committed: bool) -> None:
        """Start a partition at an offset.

        Args:
            partition: The partition.
            offset: The first offset to read.
            is_committed: Whether this offset is the committed one.
        """
        self.seek(partition, offset)
        if is_committed:
            self._committed[partition] = offset
        self._positions[partition] = offset

    def get_unhandled_offset(self, partition: TopicPartition) -> int | None:
        """Return the first offset that is not handled yet, or None if it is unknown."""
        return self.in_flight.get(partition, self._consumer.get_current_offset(partition))

    def mark_handled(self, partitions: Iterable[TopicPartition]) -> None:
        """Mark everything that was read of some partitions as handled."""
        for partition in partitions:
            if (position := self._consumer.get_current_offset(partition)) is not None:
                self._positions[partition] = position

    def commit_handled(self, assigned: set[TopicPartition]) -> None:
        """Commit what is handled and not committed yet, up to the first open record of a partition.

        Raises:
            FencedInstanceIdError: If another process has taken this member's place.
        """
        for partition in assigned - self.in_flight.keys():
            position = self._consumer.get_current_offset(partition)
            if position is not None and (position > 0 or partition in self._positions):
                self._positions[partition] = position
        changed: dict[TopicPartition, int] = {}
        for partition, position in self._positions.items():
            offset = min(position, self.first_open.get(partition.partition, position))
            if self._committed.get(partition) != offset:
                changed[partition] = offset
        if not changed:
            return
        try:
            self.commit(changed)
        except FencedInstanceIdError:
            raise
        except CommitFailedError:
            logger.info(
                "The partitions moved to another consumer before the offsets were committed. "
                "It will find the requests that exist."
            )
            self._positions.clear()
        except KafkaError as error:
            self._log_failed_commit(error)
        else:
            self._commit_problem = None

    def _log_failed_commit(self, error: KafkaError) -> None:
        reason = classify(error).reason
        if self._commit_problem != reason:
            logger.warning(
                "The offsets could not be committed (%s). Their records may be read again, but "
                "create no second request.",
                describe(error),
            )
            self._commit_problem = reason

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets.

        Raises:
            KafkaError: If they could not be committed.
        """
        identity = TopicIdentity(self._consumer.cluster_id, self._topic.topic_id or "")
        metadata = str(CommitMetadata(identity, self._topic.partitions_at_start or 0))
        commits = {
            partition: OffsetAndMetadata(offset, metadata, -1)
            for partition, offset in offsets.items()
        }
        self._consumer.commit(commits, timeout_ms=int(COMMIT_SECONDS * 1000))
        self._committed |= offsets
