"""The consumer's place in its group: which partitions it has, how far each is handled, and what is committed.

Used by the consumer's thread alone; kafka-python calls the listener's methods from inside a poll.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import (
    CommitFailedError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from retraining_operator.metrics import Metrics
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""The longest that a poll blocks, and so the longest that a stop waits for it; a record ends it at once."""
STAY_SECONDS = 0.2
"""A poll of no length would never come to the end of a rebalance, and would hold up the whole group."""
ANSWER_SECONDS = 10.0
LAG_SECONDS = 10.0
"""How often Kafka is asked for the ends of paused partitions, which no fetch tells."""
KAFKA_WITH_TOPIC_IDS = (2, 8)


@dataclass(frozen=True)
class Progress:
    """What became of a batch, by partition of the topic."""

    open: Mapping[int, int]
    """The first offset that is not handled yet, though the records behind it are."""
    rewind: set[int]
    """Partitions of a topic that was made anew: they are to be read from their beginning."""
    known: set[int]
    """Partitions of which records were handled before."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # the package ships no types
    """One consumer's partitions of one topic."""

    def __init__(self, consumer: KafkaConsumer, kafka: Kafka, metrics: Metrics) -> None:
        self._consumer = consumer
        self._topic = kafka.topic
        self._at_end = kafka.start_position == "latest"
        self._metrics = metrics
        self._topic_id: str | None = None
        self._in_hand: dict[TopicPartition, int] = {}
        self._read: dict[TopicPartition, int] = {}
        """The offset behind the last record that was handed over and came back."""
        self._open: Mapping[int, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._moved: set[TopicPartition] = set()
        self._unplaced: set[TopicPartition] = set()
        self._asked_at = 0.0
        self.lags: dict[tuple[str, int], int] = {}
        """Records that are not handled yet, by topic and partition. Replaced as a whole: another thread reads it."""
        consumer.subscribe([kafka.topic], listener=self)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let partitions go; records of theirs that are in hand are their new owner's to commit."""
        for partition in revoked:
            self._moved.add(partition)
            self._forget(partition)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Let partitions go that have an owner already."""
        self.on_partitions_revoked(lost)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Leave it to the next poll, which finds the committed offsets."""

    def _forget(self, partition: TopicPartition) -> None:
        for known in (self._in_hand, self._read, self._committed):
            known.pop(partition, None)
        self._unplaced.discard(partition)

    def poll(self) -> list[ConsumerRecord]:
        """Read some records; none where there are none for a while.

        Raises:
            KafkaError: where Kafka is away.
        """
        batches = self._poll(POLL_SECONDS)
        self._moved.clear()
        self._in_hand = {partition: batch[0].offset for partition, batch in batches.items()}
        return [record for batch in batches.values() for record in batch]

    def _poll(self, seconds: float) -> dict[TopicPartition, list[ConsumerRecord]]:
        try:
            batches: dict[TopicPartition, list[ConsumerRecord]] = self._consumer.poll(timeout_ms=int(seconds * 1000))
        except NoOffsetForPartitionError as error:
            self._unplaced |= error.args[0]
        except OffsetOutOfRangeError as error:
            for partition, offset in error.args[0].items():
                logger.warning(
                    "The topic %s has no offset %d in partition %d: records were deleted before they were read, or the "
                    "topic was made anew. Reading on from its earliest record.",
                    partition.topic,
                    offset,
                    partition.partition,
                )
                self._seek(partition, None)
        except LogTruncationError as error:
            logger.warning("Kafka has lost records that were read already (an unclean election): %s.", error)
            for partition, place in error.divergent_offsets.items():
                self._seek(partition, place and place.offset)
        else:
            return batches
        return {}

    def stay(self) -> None:
        """Keep the place in the group without taking records: paused partitions give none."""
        self._consumer.pause(*self._consumer.assignment())
        with contextlib.suppress(KafkaError):  # the next poll in earnest tells
            # A partition that this very poll has brought is not paused yet; its records are left for later.
            for partition, early in self._poll(STAY_SECONDS).items():
                self._consumer.seek(partition, early[0].offset)
            self.measure()

    def resume(self) -> None:
        """Take records again."""
        self._consumer.resume(*self._consumer.paused())

    def topic_id(self) -> str | None:
        """Give Kafka's id of the topic; empty where Kafka gives none, None where it is not certain at the moment."""
        known = self._consumer._cluster.topic_id(self._topic)  # kafka-python has no public way to it
        if known is not None and known.int:
            return str(known)
        return self._topic_id if self._consumer.config["api_version"] >= KAFKA_WITH_TOPIC_IDS else ""

    def unsettled(self, topic_id: str | None) -> bool:
        """Tell whether there is something to hand over though no record has come."""
        return bool(self._consumer.assignment()) and bool(
            topic_id != self._topic_id or self._unplaced or self._open.keys() & set(self._numbers())
        )

    def _numbers(self) -> Iterable[int]:
        return (partition.partition for partition in self._consumer.assignment())

    def take(self, records: Sequence[ConsumerRecord], topic_id: str | None, progress: Progress) -> None:
        """Take in what became of records that were handed over."""
        self._topic_id = topic_id
        self._in_hand.clear()
        self._open = progress.open
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition not in self._moved:
                self._read[partition] = record.offset + 1
        for partition in self._consumer.assignment():
            if partition.partition in progress.rewind:
                logger.warning(
                    "The topic %s was made anew; reading partition %d from its beginning.",
                    partition.topic,
                    partition.partition,
                )
                self._seek(partition, None)
            elif partition in self._unplaced:
                self._place(partition, known=partition.partition in progress.known)

    def _place(self, partition: TopicPartition, *, known: bool) -> None:
        """Start where the settings say. At the end, that is committed: what comes while nobody listens counts too."""
        if self._at_end and not known:
            self._consumer.seek_to_end(partition)
            end = self._consumer.position(partition, timeout_ms=int(ANSWER_SECONDS * 1000))
            if end is not None:
                self._read[partition] = end
                self._unplaced.discard(partition)
        else:
            self._seek(partition, None)

    def _seek(self, partition: TopicPartition, offset: int | None) -> None:
        """Go to an offset, or to the earliest record."""
        self._forget(partition)
        if offset is None:
            self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek(partition, offset)

    def commit(self) -> None:
        """Commit what is handled and was not committed yet, in each partition up to the first open record."""
        targets = {
            partition: min(offset, self._open.get(partition.partition, offset))
            for partition, offset in self._read.items()
        }
        news = {partition: offset for partition, offset in targets.items() if self._committed.get(partition) != offset}
        if not news:
            return
        offsets = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in news.items()}
        try:
            self._consumer.commit(offsets, timeout_ms=int(ANSWER_SECONDS * 1000))
        except CommitFailedError:
            logger.info(
                "The partitions moved to another consumer before the commit; it finds the requests made already."
            )
            self._read.clear()
        except KafkaError as error:
            logger.warning(
                "The offsets could not be committed: %s. Their records may come again; they make no second request.",
                str(error) or type(error).__name__,
            )
        else:
            self._committed |= news

    def measure(self) -> None:
        """Compute how many records wait; a partition that has not answered yet keeps its last figure."""
        paused = self._consumer.paused()
        ends: dict[TopicPartition, int] = {}
        if paused and time.monotonic() - self._asked_at > LAG_SECONDS:
            self._asked_at = time.monotonic()
            ends = self._consumer.end_offsets(list(paused), timeout_ms=int(POLL_SECONDS * 1000))
        lags: dict[tuple[str, int], int] = {}
        for partition in self._consumer.assignment():
            key = (partition.topic, partition.partition)
            if key in self.lags:
                lags[key] = self.lags[key]
            with contextlib.suppress(KafkaError):
                end = ends.get(partition, self._consumer.highwater(partition))
                position = self._in_hand.get(partition, self._read.get(partition))
                if position is None and end is not None:
                    position = self._consumer.position(partition, timeout_ms=0)
                if position is not None and end is not None:
                    lags[key] = max(0, end - position)
        self.lags = lags
