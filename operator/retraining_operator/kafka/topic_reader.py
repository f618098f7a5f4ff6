"""Reads selected records of a topic without a consumer group and without committing offsets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from kafka import TopicPartition
from kafka.errors import KafkaError

from retraining_operator.kafka.batches.item import Item
from retraining_operator.kafka.client import MissingCredentialError
from retraining_operator.kafka.errors import explain
from retraining_operator.kafka.record_selection import (
    OffsetRange,
    RecordSelection,
    TopicReadError,
    check_offsets,
    format_partitions,
    is_selected,
)
from retraining_operator.kafka.topic_consumer import TopicConsumer
from retraining_operator.settings import Kafka

ANSWER_SECONDS = 10
EMPTY_POLLS_LIMIT = 2
"""Empty polls, of one second each, after which a fault of the partition is raised."""
BATCH_RECORDS = 500


class TopicReader:
    """Reads selections of one topic. Synchronous, as kafka-python is.

    Args:
        kafka: The brokers and the topic.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def read(self, selection: RecordSelection) -> Iterator[list[Item]]:
        """Read batches of records, partition by partition.

        Raises:
            TopicReadError: If topic, partition or offsets do not exist, or Kafka is unavailable.
        """
        try:
            with closing(self._connect()) as consumer:
                for offsets in self._find_ranges(consumer, selection):
                    yield from self._read_range(consumer, offsets, selection)
        except (KafkaError, OSError, MissingCredentialError) as error:
            brokers = f"Kafka at {self._kafka.bootstrap_servers} (kafka.bootstrapServers)"
            raise TopicReadError(f"{brokers} could not be read: {explain(error)}") from error

    def _connect(self) -> TopicConsumer:
        return TopicConsumer(self._kafka, None, max_poll_records=BATCH_RECORDS)

    def _find_ranges(
        self, consumer: TopicConsumer, selection: RecordSelection
    ) -> list[OffsetRange]:
        topic = self._kafka.topic
        if topic not in consumer.topics():
            raise TopicReadError(f"Kafka has no topic {topic} (kafka.topic).")
        numbers = sorted(consumer.partitions_for_topic(topic))
        if selection.partition is not None and selection.partition not in numbers:
            raise TopicReadError(
                f"The topic {topic} has no partition {selection.partition}, "
                f"only {format_partitions(numbers)}."
            )
        chosen = [
            TopicPartition(topic, number)
            for number in numbers
            if selection.partition in {None, number}
        ]
        timeout_ms = ANSWER_SECONDS * 1000
        begins = consumer.beginning_offsets(chosen, timeout_ms)
        ends = consumer.end_offsets(chosen, timeout_ms)
        if selection.from_offset is not None and selection.to_offset is not None:
            [partition] = chosen
            check_offsets(selection, topic, begins[partition], ends[partition])
            return [OffsetRange(partition, selection.from_offset, selection.to_offset)]
        starts = consumer.offsets_for_times(dict.fromkeys(chosen, selection.from_ms), timeout_ms)
        return [
            OffsetRange(partition, starts[partition].offset, ends[partition] - 1)
            for partition in chosen
            if starts.get(partition) is not None
        ]

    def _read_range(
        self, consumer: TopicConsumer, offsets: OffsetRange, selection: RecordSelection
    ) -> Iterator[list[Item]]:
        partition = offsets.partition
        consumer.assign([partition])
        consumer.seek(partition, offsets.first)
        empty_polls = 0
        # Offsets may have gaps, so the position decides, not the number of records.
        while consumer.position(partition) <= offsets.last:
            records = consumer.poll(timeout_ms=1000).get(partition, [])
            empty_polls = 0 if records else empty_polls + 1
            fault = consumer.fetcher.faults.get(partition)
            if fault is not None and empty_polls > EMPTY_POLLS_LIMIT:
                raise fault
            if empty_polls > ANSWER_SECONDS:
                raise TopicReadError(
                    f"Kafka returns no records of {partition.topic}/{partition.partition} from "
                    f"offset {consumer.position(partition)} on. Repeat the command; requests that "
                    "were created remain."
                )
            yield [record for record in records if is_selected(record, offsets, selection)]
