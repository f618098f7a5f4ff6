"""Reads a span of the topic's records beside the operator: in no group, and without a commit.

Driven by the replay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.errors import KafkaError

from retraining_operator.kafka.client import MissingCredentialError
from retraining_operator.kafka.errors import explain
from retraining_operator.kafka.offset_range import ReplayError, Span, check_bounds
from retraining_operator.kafka.partition_reader import Item, UndecodableBatch
from retraining_operator.kafka.topic_consumer import TopicConsumer
from retraining_operator.settings import Kafka

ANSWER_SECONDS = 10
FAULTS_IN_A_ROW = 2
BATCH_RECORDS = 500


@dataclass(frozen=True)
class OffsetRange:
    """Offsets of one partition, the last one included."""

    partition: TopicPartition
    first: int
    last: int


class TopicReader:
    """Reads spans of one topic, in no group. Synchronous, as kafka-python is."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def read(self, span: Span) -> Iterator[list[Item]]:
        """Read batches of records, partition by partition.

        Raises:
            ReplayError: where topic, partition or offsets are not there, or Kafka is away.
        """
        try:
            with closing(self._connect()) as consumer:
                for stretch in self._stretches(consumer, span):
                    yield from self._read_stretch(consumer, stretch, span)
        except (KafkaError, OSError, MissingCredentialError) as error:
            where = f"Kafka at {self._kafka.bootstrap_servers} (kafka.bootstrapServers)"
            raise ReplayError(f"{where} could not be read: {explain(error)}") from error

    def _connect(self) -> TopicConsumer:
        return TopicConsumer(self._kafka, None, max_poll_records=BATCH_RECORDS)

    def _stretches(self, consumer: TopicConsumer, span: Span) -> list[OffsetRange]:
        topic = self._kafka.topic
        if topic not in consumer.topics():
            raise ReplayError(f"Kafka has no topic {topic} (kafka.topic).")
        numbers = sorted(consumer.partitions_for_topic(topic))
        if span.partition is not None and span.partition not in numbers:
            raise ReplayError(
                f"The topic {topic} has no partition {span.partition}, only {listed(numbers)}."
            )
        chosen = [TopicPartition(topic, n) for n in numbers if span.partition in {None, n}]
        timeout = ANSWER_SECONDS * 1000
        begins, ends = (
            consumer.beginning_offsets(chosen, timeout),
            consumer.end_offsets(chosen, timeout),
        )
        if span.from_offset is not None and span.to_offset is not None:
            [partition] = chosen
            check_bounds(span, topic, begins[partition], ends[partition])
            return [OffsetRange(partition, span.from_offset, span.to_offset)]
        starts = consumer.offsets_for_times(dict.fromkeys(chosen, span.from_ms), timeout)
        return [
            OffsetRange(p, starts[p].offset, ends[p] - 1)
            for p in chosen
            if starts.get(p) is not None
        ]

    def _read_stretch(
        self, consumer: TopicConsumer, stretch: OffsetRange, span: Span
    ) -> Iterator[list[Item]]:
        consumer.assign([stretch.partition])
        consumer.seek(stretch.partition, stretch.first)
        silent = 0
        while (
            consumer.position(stretch.partition) <= stretch.last
        ):  # offsets may have holes, so the position decides
            records = consumer.poll(timeout_ms=1000).get(stretch.partition, [])
            silent = 0 if records else silent + 1
            if (
                fault := consumer.fetcher.faults.get(stretch.partition)
            ) is not None and silent > FAULTS_IN_A_ROW:
                raise fault
            if silent > ANSWER_SECONDS:
                raise ReplayError(
                    f"Kafka gives no records of {stretch.partition.topic}/{stretch.partition.partition} from offset "
                    f"{consumer.position(stretch.partition)} on; try again, what was made stays."
                )
            yield [record for record in records if is_wanted(record, stretch, span)]


def is_wanted(record: Item, stretch: OffsetRange, span: Span) -> bool:
    """Return whether a record is asked for; a batch that cannot be decoded is, if any offset of its range is."""
    if isinstance(record, UndecodableBatch):
        return record.first_offset <= stretch.last
    return record.offset <= stretch.last and span.includes(record.offset, record.timestamp)


def listed(numbers: Sequence[int]) -> str:
    """Write numbers for a sentence, shortened where there are many."""
    return (
        f"0 to {numbers[-1]}"
        if list(numbers) == list(range(len(numbers))) and len(numbers) > 1
        else f"{numbers}"
    )
