"""The consumer's membership in its group: its partitions, and reading and placing them.

Not thread-safe: only the consumer's thread may use it. kafka-python calls the listener's methods
during a poll. Each partition is placed, read and committed independently, so that the fault of one
does not stop the others.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Sequence

from kafka import TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import (
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
)

from retraining_operator.kafka.batches.item import Item, get_first_offset
from retraining_operator.kafka.lag import LagMeter
from retraining_operator.kafka.offset_tracker import OffsetTracker, TopicState
from retraining_operator.kafka.progress import PartitionProgress
from retraining_operator.kafka.start_placement import StartPlacement
from retraining_operator.kafka.topic_consumer import StartPositionMissingError, TopicConsumer
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How long a poll blocks at most. A record ends it at once, but a stop has to wait for its end."""
PAUSED_POLL_SECONDS = 0.2
"""A poll with a time limit of 0 would never complete a rebalance, which blocks the whole group."""
PLACE_RETRY_SECONDS = 1.0
METADATA_RETRY_SECONDS = 0.05
"""After a start the group often answers before the metadata of the topic has arrived."""
KAFKA_WITH_TOPIC_IDS = (2, 8)


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # the package ships no types
    """One consumer's partitions of one topic. Subscribes the consumer.

    Args:
        consumer: Not subscribed yet.
        kafka: The topic, and the configured start position.
    """

    def __init__(self, consumer: TopicConsumer, kafka: Kafka) -> None:
        self._consumer = consumer
        self._topic_name = kafka.topic
        self._topic = TopicState()
        self._tracker = OffsetTracker(consumer, self._topic)
        self._placement = StartPlacement(consumer, kafka, self._tracker, self._topic)
        self._lag = LagMeter(consumer, self._tracker)
        self._numbers_at_join: frozenset[int] = frozenset()
        self._revoked: set[TopicPartition] = set()
        """Partitions that were revoked since the last poll for records."""
        self.resumed_at = time.monotonic()
        consumer.placement_due_at = 0.0
        consumer.subscribe([kafka.topic], listener=self)

    @property
    def assigned(self) -> set[TopicPartition]:
        """The partitions that this consumer has."""
        return set(self._consumer.assignment() or ())

    @property
    def lags(self) -> dict[tuple[str, int], int]:
        """Records that are not handled yet, by topic and partition. Safe from any thread."""
        return self._lag.lags

    @property
    def is_paused(self) -> bool:
        """Whether no records are fetched at present."""
        return bool(self._consumer.paused())

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget revoked partitions. Their new owner handles the records in flight."""
        for partition in revoked:
            self._revoked.add(partition)
            self._tracker.forget(partition)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Forget partitions that already have another owner."""
        self.on_partitions_revoked(lost)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Make the new partitions due for placement."""
        for partition in assigned:
            self._tracker.forget(partition)
        self._consumer.placement_due_at = 0.0

    def poll(self) -> list[Item]:
        """Return the next records, none if none arrive for a while.

        Raises:
            KafkaError: If the group or Kafka as a whole is unavailable.
        """
        batches = self._poll(POLL_SECONDS)
        self._revoked.clear()
        self._tracker.in_flight = {
            partition: get_first_offset(batch[0]) for partition, batch in batches.items()
        }
        items: list[Item] = []
        for batch in batches.values():
            items += batch
        return items

    def _poll(self, seconds: float) -> dict[TopicPartition, list[Item]]:
        batches: dict[TopicPartition, list[Item]] = {}
        try:
            batches = self._consumer.poll(timeout_ms=int(seconds * 1000))
        except StartPositionMissingError:
            pass
        except LogTruncationError as error:
            logger.warning(
                "Kafka has lost records that were already read (an unclean leader election): %s.",
                error,
            )
            for partition, position in error.divergent_offsets.items():
                self._tracker.seek(partition, position.offset if position else None)
        if self._consumer.is_fenced:
            raise FencedInstanceIdError
        for partition, fault in list(self._consumer.fetcher.faults.items()):
            if isinstance(fault, OffsetOutOfRangeError):
                self._read_from_earliest(partition)
        self._check_partition_count()
        return batches

    def _read_from_earliest(self, partition: TopicPartition) -> None:
        logger.warning(
            "The topic %s has no offset %s in partition %d: records were deleted before they were "
            "read, or the topic was created again. Continuing from its earliest record.",
            partition.topic,
            self._consumer.get_current_offset(partition),
            partition.partition,
        )
        self._tracker.seek(partition, None)

    def _check_partition_count(self) -> None:
        """Request a rebalance if the number of partitions has changed.

        A returning member with a fixed identity gets its old assignment and is not made the group's
        leader, so kafka-python itself would not notice new partitions.
        """
        numbers = self._consumer.get_partition_numbers(self._topic_name)
        if not numbers:
            self._consumer.refresh_metadata()
        elif (
            self._consumer.is_static
            and self._consumer.is_member
            and numbers != self._numbers_at_join
        ):
            assigned = {partition.partition for partition in self.assigned}
            if self._numbers_at_join or assigned != numbers:
                self._consumer.rejoin()
            self._numbers_at_join = numbers

    def poll_paused(self) -> None:
        """Stay in the group without taking records. Paused partitions return none."""
        self._consumer.pause(*self.assigned)
        with contextlib.suppress(KafkaError):  # the next poll for records raises it again
            # A partition that this poll has assigned is not paused yet: its records are read again.
            for partition, batch in self._poll(PAUSED_POLL_SECONDS).items():
                self._consumer.seek(partition, get_first_offset(batch[0]))
        self.measure_lag()

    def resume(self) -> None:
        """Resume reading records."""
        if paused := self._consumer.paused():
            self._consumer.resume(*paused)
            self.resumed_at = time.monotonic()

    def get_topic_id(self) -> str | None:
        """Return Kafka's id of the topic, empty if Kafka has none, None if it is uncertain."""
        known = self._consumer.get_topic_id(self._topic_name)
        if known is not None:
            return known
        has_topic_ids = self._consumer.config["api_version"] >= KAFKA_WITH_TOPIC_IDS
        return self._topic.topic_id if has_topic_ids else ""

    def needs_handover(self, topic_id: str | None) -> bool:
        """Return whether to call the handler although no record was read.

        True if the topic has changed, a partition has no position, or records are open.
        """
        assigned = self.assigned
        numbers = {partition.partition for partition in assigned}
        return bool(assigned) and bool(
            topic_id != self._topic.topic_id
            or self._is_placement_due()
            or self._tracker.first_open.keys() & numbers
        )

    def _is_placement_due(self) -> bool:
        due_at = self._consumer.placement_due_at or 0.0
        return due_at <= time.monotonic() and bool(self._consumer.find_unplaced())

    def finish_batch(
        self, records: Sequence[Item], topic_id: str | None, progress: PartitionProgress
    ) -> None:
        """Store the progress of a handled batch, and place partitions without a position.

        Args:
            records: As `poll` has returned them.
            topic_id: Kafka's id of the topic that they are from.
            progress: What the handler has returned.

        Raises:
            KafkaError: If the group's offsets cannot be read.
        """
        previous, self._topic.topic_id = self._topic.topic_id, topic_id
        self._tracker.in_flight.clear()
        self._tracker.first_open = progress.first_open
        self._placement.add_former(progress.former)
        if previous and topic_id and previous != topic_id:
            self._restart(previous, topic_id)
        read = {TopicPartition(record.topic, record.partition) for record in records}
        self._tracker.mark_handled(read - self._revoked)
        if self._is_placement_due():
            retry = METADATA_RETRY_SECONDS if topic_id is None else PLACE_RETRY_SECONDS
            self._consumer.placement_due_at = time.monotonic() + retry
            if topic_id is not None:
                unplaced = self._consumer.find_unplaced()
                self._placement.place(unplaced, topic_id, progress.handled)

    def _restart(self, previous: str, topic_id: str) -> None:
        logger.warning(
            "The topic %s was created again (id %s, previously %s).",
            self._topic_name,
            topic_id,
            previous,
        )
        self._topic.partitions_at_start = None
        for partition in self.assigned:
            self._tracker.forget(partition)
            self._consumer.clear_position(partition)

    def commit_handled(self) -> None:
        """Commit what is handled and not committed yet.

        Raises:
            FencedInstanceIdError: If another process has taken this member's place.
        """
        self._tracker.commit_handled(self.assigned)

    def measure_lag(self) -> None:
        """Compute the lag of the assigned partitions."""
        self._lag.measure(self.assigned, is_paused=self.is_paused)
