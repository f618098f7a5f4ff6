"""Decodes batches of formats 0 and 1: one message, or a compressed message that contains others."""

from __future__ import annotations

import struct

from retraining_operator.kafka.batches.codecs import decompress
from retraining_operator.kafka.batches.record_batch import (
    APPEND_TIME_MASK,
    COMMON_HEADER,
    Batch,
    BatchError,
    BatchRecord,
    Fault,
    read_batch,
)


def decode_legacy(batch: Batch, limit: int) -> list[BatchRecord]:
    """Decode the records of a batch of format 0 or 1.

    Args:
        batch: A complete batch with a valid checksum.
        limit: The largest allowed size of the decompressed records, in bytes.

    Returns:
        The records in the order of their offsets.

    Raises:
        BatchError, CodecError, struct.error: If the content is damaged.
    """
    outer = decode_message(batch.raw)
    if not batch.codec:
        return [outer]
    if outer.value is None:
        raise BatchError(Fault.STRUCTURE, "it is compressed and empty")
    inner = decode_inner(decompress(batch.codec, outer.value, limit))
    shift = batch.base_offset - inner[-1].offset if batch.magic == 1 else 0
    has_append_time = batch.magic == 1 and batch.attributes & APPEND_TIME_MASK
    return [
        BatchRecord(
            one.offset + shift,
            outer.timestamp if has_append_time else one.timestamp,
            one.key,
            one.value,
        )
        for one in inner
    ]


def decode_inner(body: bytes) -> list[BatchRecord]:
    """Decode the messages inside a compressed message.

    Raises:
        BatchError, struct.error: If the content is damaged or empty.
    """
    inner, at = [], 0
    while at < len(body):
        message = read_batch(body, at)
        if message.codec or message.magic == 2:
            raise BatchError(Fault.STRUCTURE, "it is compressed twice, or mixes formats")
        if not message.is_intact:
            raise BatchError(
                Fault.CHECKSUM, "the checksum of a message inside it does not match its content"
            )
        inner.append(decode_message(message.raw))
        at += len(message.raw)
    if not inner:
        raise BatchError(Fault.STRUCTURE, "it is compressed and contains no message")
    return inner


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
    return BatchRecord(offset, timestamp, fields[0], fields[1])
