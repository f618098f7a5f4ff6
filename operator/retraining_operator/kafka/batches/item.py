"""What the consumer hands over: a record, or a batch that could not be decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from retraining_operator.kafka.batches.record_batch import Batch, BatchRecord, Fault


@dataclass(frozen=True)
class UndecodableBatch:
    """A range of offsets whose records cannot be decoded.

    It has the fields of a record that handlers of records read.

    Args:
        topic: The topic.
        partition: The partition.
        first_offset: The first offset of the range.
        offset: The last offset. Once it is handled, the whole range counts as handled.
        fault: The kind of fault.
        message: What is wrong, as a sentence without its full stop.
        value: The raw bytes, or None if the broker did not send them.
        timestamp: Always unknown.
        key: Always None.
        headers: Always empty.
    """

    topic: str
    partition: int
    first_offset: int
    offset: int
    fault: Fault
    message: str
    value: bytes | None
    timestamp: int = -1
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}, offsets {self.first_offset} to {self.offset}"


ITEM_OVERHEAD_BYTES = 500
"""What a record takes beside its content."""
Item: TypeAlias = ConsumerRecord | UndecodableBatch


def get_value_size(item: Item) -> int:
    """Return the size of an item's whole value in bytes. Perhaps only its beginning is kept."""
    kept = len(item.value or b"")
    return max(kept, int(getattr(item, "serialized_value_size", kept)))


def measure_item(item: Item) -> int:
    """Return about how many bytes of memory an item takes."""
    headers = sum(len(name) + len(value or b"") for name, value in item.headers)
    return len(item.value or b"") + len(item.key or b"") + headers + ITEM_OVERHEAD_BYTES


def get_first_offset(item: Item) -> int:
    """Return the offset of a record, or the first offset of a batch."""
    return int(getattr(item, "first_offset", item.offset))


def convert_record(record: BatchRecord, batch: Batch, partition: TopicPartition) -> ConsumerRecord:
    """Convert a decoded record to kafka-python's type.

    Args:
        record: The record.
        batch: The batch that contains it.
        partition: The partition that contains the batch.

    Returns:
        The record as kafka-python's consumer returns it.
    """
    return ConsumerRecord(
        topic=partition.topic,
        partition=partition.partition,
        leader_epoch=batch.leader_epoch,
        offset=record.offset,
        timestamp=record.timestamp,
        timestamp_type=0,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        checksum=None,
        serialized_key_size=-1 if record.key is None else len(record.key),
        serialized_value_size=-1 if record.value_bytes is None else record.value_bytes,
        serialized_header_size=-1,
    )
