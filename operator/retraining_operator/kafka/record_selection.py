"""Selects records of a topic by offset or by time, and turns a selection into offset ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kafka import TopicPartition

from retraining_operator.kafka.batches.item import Item, UndecodableBatch


class TopicReadError(Exception):
    """The selected records cannot be read. The text says why and what to do."""


@dataclass(frozen=True)
class RecordSelection:
    """Which records of a topic to read. All bounds are inclusive.

    Args:
        partition: The partition, or None for all of them.
        from_offset: The first offset, or None to select by time.
        to_offset: The last offset, or None to select by time.
        from_ms: The earliest timestamp, in milliseconds since 1970 (UTC).
        to_ms: The latest timestamp, in milliseconds since 1970 (UTC).
    """

    partition: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def includes(self, offset: int, timestamp_ms: int) -> bool:
        """Return whether a record of a selected partition is selected.

        Args:
            offset: The record's offset.
            timestamp_ms: The record's timestamp, in milliseconds since 1970 (UTC).

        Returns:
            True if it is within all bounds.
        """
        return (
            (self.from_offset is None or offset >= self.from_offset)
            and (self.to_offset is None or offset <= self.to_offset)
            and (self.from_ms is None or timestamp_ms >= self.from_ms)
            and (self.to_ms is None or timestamp_ms <= self.to_ms)
        )


@dataclass(frozen=True)
class OffsetRange:
    """Offsets of one partition, the last one included.

    Args:
        partition: The topic and the partition.
        first: The first offset.
        last: The last offset.
    """

    partition: TopicPartition
    first: int
    last: int


def is_selected(item: Item, offsets: OffsetRange, selection: RecordSelection) -> bool:
    """Return whether an item is selected.

    An undecodable batch is selected if any offset of its range is.

    Args:
        item: A record or an undecodable batch of the range's partition.
        offsets: The offsets that are read.
        selection: What was asked for.

    Returns:
        True if it is.
    """
    if isinstance(item, UndecodableBatch):
        return item.first_offset <= offsets.last
    return item.offset <= offsets.last and selection.includes(item.offset, item.timestamp)


def check_offsets(selection: RecordSelection, topic: str, begin: int, end: int) -> None:
    """Check that Kafka has the selected offsets.

    Args:
        selection: Selects by offset.
        topic: The topic, for the message.
        begin: The first offset that Kafka has.
        end: The offset after the last one that Kafka has.

    Raises:
        TopicReadError: If Kafka does not have all of them. The message names those that it has.
    """
    first, last = selection.from_offset or 0, selection.to_offset or 0
    if first < begin or last >= end:
        available = (
            f"has the offsets {begin} to {end - 1}"
            if begin < end
            else f"is empty (its next offset is {end})"
        )
        raise TopicReadError(
            f"Partition {selection.partition} of {topic} {available}, not {first} to {last}."
        )


def format_partitions(numbers: Sequence[int]) -> str:
    """Return partition numbers for a message, as a range if they are consecutive from 0."""
    return (
        f"0 to {numbers[-1]}"
        if list(numbers) == list(range(len(numbers))) and len(numbers) > 1
        else f"{numbers}"
    )
