"""The consumer's place in its group: which partitions it has, how far each is handled, and what is committed.

Used by the consumer's thread alone; kafka-python calls the listener's methods from inside a poll.
Each partition is placed, read and committed on its own: what one of them meets is kept for the
state and stops none of the others.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence

from kafka import OffsetAndMetadata, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
)

from retraining_operator.kafka.batches.item import Item, get_first_offset
from retraining_operator.kafka.errors import classify, describe
from retraining_operator.kafka.progress import PartitionProgress
from retraining_operator.kafka.start_position import (
    Commit,
    Former,
    Mark,
    Start,
    TopicIdentity,
    place_committed,
    place_new,
    read_mark,
    settle_doubt,
)
from retraining_operator.kafka.topic_consumer import StartPositionMissingError, TopicConsumer
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""The longest that a poll blocks, and so the longest that a stop waits for it; a record ends it at once."""
STAY_SECONDS = 0.2
"""A poll of no length would never come to the end of a rebalance, and would hold up the whole group."""
ANSWER_SECONDS = 10.0
PLACE_SECONDS = 5.0
PLACE_AGAIN_SECONDS = 1.0
METADATA_SECONDS = 0.05
"""After a start the group often answers before the metadata of the topic has come."""
LAG_SECONDS = 10.0
"""How often Kafka is asked for the ends of paused partitions, which no fetch tells."""
KAFKA_WITH_TOPIC_IDS = (2, 8)
AT_END, AT_BEGINNING = -1, -2
"""Kafka's own numbers for the two, in place of a timestamp."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # the package ships no types
    """One consumer's partitions of one topic.

    Args:
        consumer: Not subscribed yet.
        kafka: The topic, and where reading begins.
    """

    def __init__(self, consumer: TopicConsumer, kafka: Kafka) -> None:
        self._consumer = consumer
        self._topic = kafka.topic
        self._at_end = kafka.start_position == "latest"
        self._topic_id: str | None = None
        self._former: dict[int, Former] = {}
        self._partitions_at_start: int | None = None
        self._numbers_at_join: frozenset[int] = frozenset()
        self._in_hand: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        """How far each partition was read when its records came back: control records and gaps count as read."""
        self._open: Mapping[int, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._moved: set[TopicPartition] = set()
        self._commit_trouble: str | None = None
        self._asked_at = 0.0
        self.resumed_at = time.monotonic()
        self.lags: dict[tuple[str, int], int] = {}
        """Records that are not handled yet, by topic and partition.

        Replaced as a whole: another thread reads it.
        """
        consumer.place_from = 0.0
        consumer.subscribe([kafka.topic], listener=self)

    @property
    def assigned(self) -> set[TopicPartition]:
        """The partitions that this consumer has."""
        return set(self._consumer.assignment() or ())

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let partitions go; records of theirs that are in hand are their new owner's to commit."""
        for partition in revoked:
            self._moved.add(partition)
            self._forget(partition)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Let partitions go that have an owner already."""
        self.on_partitions_revoked(lost)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Have the new partitions placed at once."""
        for partition in assigned:
            self._forget(partition)
        self._consumer.place_from = 0.0

    def _forget(self, partition: TopicPartition) -> None:
        for known in (self._in_hand, self._positions, self._committed):
            known.pop(partition, None)
        self._consumer.fetcher.forget(partition)

    def poll(self) -> list[Item]:
        """Read some records; none where there are none for a while.

        Raises:
            KafkaError: If the group or Kafka as a whole is unavailable.
        """
        batches = self._poll(POLL_SECONDS)
        self._moved.clear()
        self._in_hand = {
            partition: get_first_offset(batch[0]) for partition, batch in batches.items()
        }
        return [item for batch in batches.values() for item in batch]

    def _poll(self, seconds: float) -> dict[TopicPartition, list[Item]]:
        try:
            batches: dict[TopicPartition, list[Item]] = self._consumer.poll(
                timeout_ms=int(seconds * 1000)
            )
        except StartPositionMissingError:
            batches = {}
        except LogTruncationError as error:
            logger.warning(
                "Kafka has lost records that were read already (an unclean election): %s.", error
            )
            for partition, place in error.divergent_offsets.items():
                self._seek(partition, place.offset if place else None)
            batches = {}
        if self._consumer.is_fenced:
            raise FencedInstanceIdError
        for partition, fault in list(self._consumer.fetcher.faults.items()):
            if isinstance(fault, OffsetOutOfRangeError):
                self._read_from_earliest(partition)
        self._watch_partitions()
        return batches

    def _read_from_earliest(self, partition: TopicPartition) -> None:
        logger.warning(
            "The topic %s has no offset %s in partition %d: records were deleted before they were read, or the "
            "topic was created again. Reading on from its earliest record.",
            partition.topic,
            self._consumer.current(partition),
            partition.partition,
        )
        self._seek(partition, None)

    def _watch_partitions(self) -> None:
        """Have the partitions shared out again when their number has changed.

        The broker answers a member with a fixed identity from memory when it comes back, and does
        not make it the group's leader, so kafka-python itself would not notice a topic that has
        grown.
        """
        numbers = self._consumer.partition_numbers(self._topic)
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

    def stay(self) -> None:
        """Keep the place in the group without taking records: paused partitions give none."""
        self._consumer.pause(*self.assigned)
        with contextlib.suppress(KafkaError):  # the next poll in earnest tells
            # A partition that this very poll has brought is not paused yet; its records are left
            # for later.
            for partition, early in self._poll(STAY_SECONDS).items():
                self._consumer.seek(partition, get_first_offset(early[0]))
        self.measure()

    def resume(self) -> None:
        """Take records again."""
        if paused := self._consumer.paused():
            self._consumer.resume(*paused)
            self.resumed_at = time.monotonic()

    @property
    def is_paused(self) -> bool:
        """Whether no records are taken at present."""
        return bool(self._consumer.paused())

    def topic_id(self) -> str | None:
        """Return Kafka's id of the topic; empty where Kafka gives none, None where it is not certain at the moment."""
        known = self._consumer.topic_id(self._topic)
        if known is not None:
            return known
        return (
            self._topic_id if self._consumer.config["api_version"] >= KAFKA_WITH_TOPIC_IDS else ""
        )

    def unsettled(self, topic_id: str | None) -> bool:
        """Return whether there is something to hand over though no record has come."""
        assigned = self.assigned
        return bool(assigned) and bool(
            topic_id != self._topic_id
            or self._may_place()
            or self._open.keys() & {partition.partition for partition in assigned}
        )

    def _may_place(self) -> bool:
        return (self._consumer.place_from or 0.0) <= time.monotonic() and bool(
            self._consumer.unplaced()
        )

    def take(
        self, records: Sequence[Item], topic_id: str | None, progress: PartitionProgress
    ) -> None:
        """Record what became of records that were handed over, and place what is not placed yet.

        Args:
            records: As `poll` has returned them.
            topic_id: Kafka's id of the topic that they are from.
            progress: What became of them.

        Raises:
            KafkaError: If the group's offsets cannot be read.
        """
        was, self._topic_id = self._topic_id, topic_id
        self._in_hand.clear()
        self._open = progress.first_open
        self._former |= dict(progress.former)
        if was and topic_id and was != topic_id:
            logger.warning(
                "The topic %s was created again (id %s, before %s).", self._topic, topic_id, was
            )
            self._partitions_at_start = None
            for partition in self.assigned:
                self._forget(partition)
                self._consumer.unplace(partition)
        for partition in {
            TopicPartition(record.topic, record.partition) for record in records
        } - self._moved:
            if (position := self._consumer.current(partition)) is not None:
                self._positions[partition] = position
        if self._may_place():
            again = METADATA_SECONDS if topic_id is None else PLACE_AGAIN_SECONDS
            self._consumer.place_from = time.monotonic() + again
            if topic_id is not None:
                identity = TopicIdentity(self._consumer.cluster_id, topic_id)
                self._place(self._consumer.unplaced(), identity, progress.handled)

    def _place(
        self, unplaced: set[TopicPartition], identity: TopicIdentity, handled: set[int]
    ) -> None:
        """Set the first position of partitions.

        Those that cannot be placed now are tried again later.
        """
        every = [
            TopicPartition(self._topic, number)
            for number in self._consumer.partition_numbers(self._topic)
        ]
        committed = {
            partition: Commit(found.offset, read_mark(found.metadata))
            for partition, found in self._consumer.fetch_committed(
                sorted(set(every) | unplaced), PLACE_SECONDS
            ).items()
            if found.offset >= 0
        }
        marks = [
            commit.mark
            for commit in committed.values()
            if commit.mark and commit.mark.identity == identity
        ]
        begins_now = not committed and not handled and not self._former
        if self._partitions_at_start is None:
            self._partitions_at_start = (
                marks[0].partitions_at_start if marks else len(every) if begins_now else 0
            )
        places: dict[TopicPartition, int | Start] = {}
        for partition in sorted(unplaced):
            number = partition.partition
            if partition in committed:
                places[partition] = place_committed(
                    committed[partition], identity, self._former.get(number)
                )
            else:
                places[partition] = place_new(
                    number,
                    at_end=self._at_end,
                    is_known=number in handled or number in self._former,
                    partitions_at_start=self._partitions_at_start,
                )
        for partition, place in places.items():
            with contextlib.suppress(
                KafkaError
            ):  # its leader is unavailable: it alone is tried again
                self._settle(partition, place, committed.get(partition))

    def _settle(self, partition: TopicPartition, place: int | Start, commit: Commit | None) -> None:
        """Seek to a place that was decided on.

        Raises:
            KafkaError: If the partition's leader has to be asked and does not answer.
        """
        former = self._former.get(partition.partition)
        if place is Start.IN_DOUBT and commit and former:
            later = self._consumer.offsets_at({partition: former.latest_ms + 1}, PLACE_SECONDS).get(
                partition
            )
            place = settle_doubt(commit.offset, later)
        if isinstance(place, int) and former:
            end = self._consumer.offsets_at({partition: AT_END}, PLACE_SECONDS).get(partition)
            place = Start.BEGINNING if end is not None and place > end else place
        if former:
            logger.warning(
                "The topic %s is another one than before (another topic id). Reading partition %d from %s.",
                self._topic,
                partition.partition,
                f"the committed offset {place}, which was set for this topic"
                if isinstance(place, int)
                else "its beginning, because it was deleted and created again",
            )
        if place is Start.END:
            end = self._consumer.offsets_at({partition: AT_END}, PLACE_SECONDS).get(partition)
            if end is None:
                return
            self._commit({partition: end})  # first: what comes while nobody listens counts too
            place = end
        if isinstance(place, int):
            self._seek(partition, place)
            if commit and commit.offset == place and not former:
                self._committed[partition] = place
            self._positions[partition] = place
        else:
            self._seek(partition, None)
        self._former.pop(partition.partition, None)

    def _seek(self, partition: TopicPartition, offset: int | None) -> None:
        """Go to an offset, or to the earliest record."""
        self._forget(partition)
        if offset is None:
            self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek(partition, offset)

    def commit(self) -> None:
        """Commit what is handled and was not committed yet, in each partition up to the first open record.

        Raises:
            FencedInstanceIdError: If another process has taken this member's place.
        """
        for partition in self.assigned - self._in_hand.keys():
            position = self._consumer.current(partition)
            if position is not None and (position > 0 or partition in self._positions):
                self._positions[partition] = position
        targets = {
            partition: min(offset, self._open.get(partition.partition, offset))
            for partition, offset in self._positions.items()
        }
        news = {
            partition: offset
            for partition, offset in targets.items()
            if self._committed.get(partition) != offset
        }
        if not news:
            return
        try:
            self._commit(news)
        except FencedInstanceIdError:
            raise
        except CommitFailedError:
            logger.info(
                "The partitions moved to another consumer before the commit; it finds the requests that exist."
            )
            self._positions.clear()
        except KafkaError as error:
            if self._commit_trouble != (reason := classify(error).reason):
                logger.warning(
                    "The offsets could not be committed (%s). Their records may come again; they make no second "
                    "request.",
                    describe(error),
                )
                self._commit_trouble = reason
        else:
            self._commit_trouble = None

    def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        identity = TopicIdentity(self._consumer.cluster_id, self._topic_id or "")
        mark = str(Mark(identity, self._partitions_at_start or 0))
        commits = {
            partition: OffsetAndMetadata(offset, mark, -1) for partition, offset in offsets.items()
        }
        self._consumer.commit(commits, timeout_ms=int(ANSWER_SECONDS * 1000))
        self._committed |= offsets

    def measure(self) -> None:
        """Compute how many records wait in each partition that this consumer has."""
        if self.is_paused and time.monotonic() - self._asked_at > LAG_SECONDS:
            self._asked_at = time.monotonic()
            with contextlib.suppress(KafkaError):
                ends = self._consumer.offsets_at(dict.fromkeys(self.assigned, AT_END), POLL_SECONDS)
                self._consumer.fetcher.ends |= ends
        lags = {}
        for partition in self.assigned:
            end = self._consumer.fetcher.ends.get(partition)
            position = self._in_hand.get(partition, self._consumer.current(partition))
            if end is not None and position is not None:
                lags[partition.topic, partition.partition] = max(0, end - position)
        self.lags = lags
