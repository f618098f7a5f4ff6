"""Sets the start position of newly assigned partitions."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from kafka import TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from retraining_operator.kafka.offset_tracker import OffsetTracker, TopicState
from retraining_operator.kafka.start_position import (
    CommittedOffset,
    FormerPartition,
    StartPosition,
    TopicIdentity,
    parse_metadata,
    resolve_committed,
    resolve_doubt,
    resolve_new,
)
from retraining_operator.kafka.topic_consumer import AT_END, TopicConsumer
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

PLACE_SECONDS = 5.0


class StartPlacement:
    """Places partitions that have no position yet.

    Args:
        consumer: The member of the group.
        kafka: The topic, and the configured start position.
        tracker: Receives the positions.
        topic: What is known of the topic.
    """

    def __init__(
        self, consumer: TopicConsumer, kafka: Kafka, tracker: OffsetTracker, topic: TopicState
    ) -> None:
        self._consumer = consumer
        self._topic_name = kafka.topic
        self._at_end = kafka.start_position == "latest"
        self._tracker = tracker
        self._topic = topic
        self._former: dict[int, FormerPartition] = {}

    def add_former(self, former: Mapping[int, FormerPartition]) -> None:
        """Add partitions of which records of an earlier topic of the same name were handled."""
        self._former |= dict(former)

    def place(self, unplaced: set[TopicPartition], topic_id: str, handled: set[int]) -> None:
        """Set the first position of partitions. Those that cannot be placed now are tried later.

        Args:
            unplaced: Partitions without a position.
            topic_id: Kafka's id of the topic.
            handled: Numbers of the partitions of which records were handled before.

        Raises:
            KafkaError: If the committed offsets cannot be read, or a right is missing.
        """
        identity = TopicIdentity(self._consumer.cluster_id, topic_id)
        every = {
            TopicPartition(self._topic_name, number)
            for number in self._consumer.get_partition_numbers(self._topic_name)
        }
        committed = self._fetch_committed(every | unplaced)
        if self._topic.partitions_at_start is None:
            is_new_group = not committed and not handled and not self._former
            self._topic.partitions_at_start = find_partitions_at_start(
                committed, identity, default=len(every) if is_new_group else 0
            )
        positions: dict[TopicPartition, int | StartPosition] = {}
        for partition in sorted(unplaced):
            number = partition.partition
            if partition in committed:
                positions[partition] = resolve_committed(
                    committed[partition], identity, self._former.get(number)
                )
            else:
                positions[partition] = resolve_new(
                    number,
                    at_end=self._at_end,
                    is_known=number in handled or number in self._former,
                    partitions_at_start=self._topic.partitions_at_start,
                )
        refusal: KafkaError | None = None
        for partition, position in positions.items():
            try:
                self._apply(partition, position, committed.get(partition))
            except AuthorizationError as error:
                refusal = error
            except KafkaError as error:
                # If the leader of a partition is unavailable, only this partition is tried again.
                logger.debug("%s cannot be placed yet: %s", partition, error)
        if refusal is not None:
            raise refusal

    def _fetch_committed(
        self, partitions: set[TopicPartition]
    ) -> dict[TopicPartition, CommittedOffset]:
        found = self._consumer.fetch_committed(sorted(partitions), PLACE_SECONDS)
        return {
            partition: CommittedOffset(commit.offset, parse_metadata(commit.metadata))
            for partition, commit in found.items()
            if commit.offset >= 0
        }

    def _apply(
        self,
        partition: TopicPartition,
        position: int | StartPosition,
        commit: CommittedOffset | None,
    ) -> None:
        """Seek to a start position.

        Raises:
            KafkaError: If the partition's leader has to be asked and does not answer.
        """
        former = self._former.get(partition.partition)
        if position is StartPosition.IN_DOUBT and commit and former:
            later = self._find_offset(partition, former.latest_ms + 1)
            position = resolve_doubt(commit.offset, later)
        if isinstance(position, int) and former:
            end = self._find_offset(partition, AT_END)
            position = StartPosition.BEGINNING if end is not None and position > end else position
        if former:
            self._log_new_topic(partition, position)
        if position is StartPosition.END:
            end = self._find_offset(partition, AT_END)
            if end is None:
                return
            # Committed first, so that records that arrive while nobody reads are not lost.
            self._tracker.commit({partition: end})
            position = end
        if isinstance(position, int):
            is_committed = commit is not None and commit.offset == position and not former
            self._tracker.set_start(partition, position, is_committed=is_committed)
        else:
            self._tracker.seek(partition, None)
        self._former.pop(partition.partition, None)

    def _find_offset(self, partition: TopicPartition, timestamp_ms: int) -> int | None:
        return self._consumer.find_offsets({partition: timestamp_ms}, PLACE_SECONDS).get(partition)

    def _log_new_topic(self, partition: TopicPartition, position: int | StartPosition) -> None:
        logger.warning(
            "The topic %s has another topic id than before. Reading partition %d from %s.",
            self._topic_name,
            partition.partition,
            f"the committed offset {position}, which was set for this topic"
            if isinstance(position, int)
            else "its beginning, because the topic was deleted and created again",
        )


def find_partitions_at_start(
    committed: Mapping[TopicPartition, CommittedOffset], identity: TopicIdentity, default: int
) -> int:
    """Return how many partitions the topic had when the group started.

    Args:
        committed: The committed offsets of the group.
        identity: The topic as it is now.
        default: The result if no commit was made for this topic.

    Returns:
        The number from the metadata of a commit for this topic, or the default.
    """
    for commit in committed.values():
        if commit.metadata and commit.metadata.identity == identity:
            return commit.metadata.partitions_at_start
    return default
