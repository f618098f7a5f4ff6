"""A consumed record, or a batch that cannot be decoded, becomes a trigger or a sentence that says why not. Pure."""

from __future__ import annotations

from retraining_operator.api.trigger import (
    KafkaPosition,
    Malformed,
    MalformedRecordError,
    Trigger,
    read_trigger,
)
from retraining_operator.kafka.partition_reader import Item, UndecodableBatch


def origin_of(record: Item) -> KafkaPosition:
    """Return where a record is; a batch that cannot be decoded counts by its last offset."""
    return KafkaPosition(record.topic, record.partition, record.offset, record.timestamp)


def place_of(record: Item) -> str:
    """Return where a record is, or a batch with its range of offsets, as a log line names it."""
    return str(record) if isinstance(record, UndecodableBatch) else str(origin_of(record))


def read_record(record: Item) -> Trigger:
    """Parse the trigger that a record holds.

    Raises:
        MalformedRecordError: If it holds none, with the kind and a sentence.
    """
    if isinstance(record, UndecodableBatch):
        raise MalformedRecordError(
            Malformed.UNDECODABLE, f"the batch cannot be decoded ({record.fault}): {record.message}"
        )
    return read_trigger(origin_of(record), record.value)
