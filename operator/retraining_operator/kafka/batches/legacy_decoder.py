"""Decodes batches of formats 0 and 1: one message, or a compressed message that contains others."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from retraining_operator.kafka.batches.codecs import decompress
from retraining_operator.kafka.batches.record_batch import (
    APPEND_TIME_MASK,
    COMMON_HEADER,
    KEPT_VALUE_BYTES,
    RECORDS_LIMIT,
    Batch,
    BatchError,
    BatchRecord,
    Fault,
    ReadRecords,
    read_batch,
)


def decode_legacy(batch: Batch, limit: int) -> ReadRecords:
    """Decode a batch of format 0 or 1.

    Args:
        batch: A complete batch with a valid checksum.
        limit: The largest allowed size of the decompressed records, in bytes.

    Returns:
        A function that reads the records in the order of their offsets.

    Raises:
        BatchError, CodecError, struct.error: If the content is damaged.
    """
    outer = decode_message(batch.raw)
    if not batch.codec:
        return partial(iter, [cut_value(outer)])
    if outer.value is None:
        raise BatchError(Fault.STRUCTURE, "it is compressed and empty")
    body = decompress(batch.codec, outer.value, limit)
    count, last_offset = 0, 0
    for message in iterate_messages(body):
        count, last_offset = count + 1, message.offset
        if count > RECORDS_LIMIT:
            raise BatchError(Fault.TOO_LARGE, f"it has more than {RECORDS_LIMIT:,} records")
    if not count:
        raise BatchError(Fault.STRUCTURE, "it is compressed and contains no message")
    shift = batch.base_offset - last_offset if batch.magic == 1 else 0
    has_append_time = batch.magic == 1 and batch.attributes & APPEND_TIME_MASK
    return partial(iterate_shifted, body, shift, outer.timestamp if has_append_time else None)


def iterate_shifted(body: memoryview, shift: int, timestamp: int | None) -> Iterator[BatchRecord]:
    """Read the messages inside a compressed message.

    Args:
        body: The decompressed messages.
        shift: Added to their offsets, which format 1 counts from the first one.
        timestamp: Replaces their timestamps; None to keep them.

    Yields:
        The records.
    """
    for message in iterate_messages(body):
        yield replace(
            message,
            offset=message.offset + shift,
            timestamp=message.timestamp if timestamp is None else timestamp,
        )


def iterate_messages(body: memoryview) -> Iterator[BatchRecord]:
    """Decode the messages inside a compressed message one after the other.

    Yields:
        The messages.

    Raises:
        BatchError, struct.error: If the content is damaged.
    """
    at = 0
    while at < len(body):
        message = read_batch(body, at)
        if message.codec or message.magic == 2:
            raise BatchError(Fault.STRUCTURE, "it is compressed twice, or mixes formats")
        if not message.is_intact:
            raise BatchError(
                Fault.CHECKSUM, "the checksum of a message inside it does not match its content"
            )
        yield cut_value(decode_message(message.raw))
        at += len(message.raw)


def cut_value(record: BatchRecord) -> BatchRecord:
    """Return a record with at most KEPT_VALUE_BYTES of its value."""
    if record.value is None or len(record.value) <= KEPT_VALUE_BYTES:
        return record
    return replace(record, value=record.value[:KEPT_VALUE_BYTES])


def decode_message(raw: bytes) -> BatchRecord:
    """Decode one message of format 0 or 1.

    Raises:
        BatchError, struct.error: If the content is damaged.
    """
    offset, _, _, magic = COMMON_HEADER.unpack_from(raw)
    at, timestamp = COMMON_HEADER.size + 1, -1
    if magic == 1:
        (timestamp,) = struct.unpack_from(">q", raw, at)
        at += 8
    fields: list[bytes | None] = []
    for _ in range(2):
        (length,) = struct.unpack_from(">i", raw, at)
        at += 4
        if length > len(raw) - at or length < -1:
            raise BatchError(Fault.STRUCTURE, f"a field claims a length of {length} bytes")
        fields.append(None if length < 0 else raw[at : at + length])
        at += max(0, length)
    size = None if fields[1] is None else len(fields[1])
    return BatchRecord(offset, timestamp, fields[0], fields[1], value_bytes=size)
