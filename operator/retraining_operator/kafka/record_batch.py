"""Kafka's record batches as bytes: finds where a batch ends, checks it, and decodes its records. Pure.

All three formats are read: 2 (since Kafka 0.11), and 0 and 1, which old segments may still hold. A
    batch is decoded as a whole or not at all. Every fault has a kind and a sentence, so that
    whoever reads the topic can skip the batch and go on behind it.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from enum import StrEnum

from kafka.record.util import calc_crc32c

from retraining_operator.kafka.codecs import (
    UNPACKED_LIMIT_BYTES,
    CodecError,
    UnpackedTooLargeError,
    decompress,
)

LEADER = struct.Struct(">qiib")
"""What all formats share: base offset, length, four bytes that differ, and the format's number (magic)."""
LOG_OVERHEAD = 12
"""Bytes of offset and length, which the length does not count."""
HEADER = struct.Struct(">qiibIhiqqqhii")
CHECKED_FROM = struct.calcsize(">qiibI")
LEGACY_CHECKED_FROM = struct.calcsize(">qiI")
SHORTEST_BYTES = 26
"""An empty message of format 0."""
CODEC_MASK = 0x07
APPEND_TIME_MASK = 0x08
TRANSACTIONAL_MASK = 0x10
CONTROL_MASK = 0x20
CONTROL_KEY = struct.Struct(">hh")
ABORT = 0
NO_PRODUCER = -1
VARINT_BITS = 70


class Fault(StrEnum):
    """Why a batch is skipped; each is a label's value of `retraining_consumer_skipped_batches_total`."""

    CHECKSUM = "checksum"
    CODEC = "codec"
    FORMAT = "format"
    STRUCTURE = "structure"
    OFFSETS = "offsets"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


class BatchError(Exception):
    """A batch cannot be decoded; has the kind of fault and a sentence."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One decoded record."""

    offset: int
    timestamp: int
    """Milliseconds since 1970; -1 if the format has none."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What the header of a batch claims.

    Nothing of it is checked yet, except that the bytes are complete.
    """

    raw: bytes
    magic: int
    base_offset: int
    last_offset: int
    leader_epoch: int = -1
    checksum: int = 0
    attributes: int = 0
    first_timestamp: int = -1
    max_timestamp: int = -1
    producer_id: int = NO_PRODUCER
    count: int = 1

    @property
    def codec(self) -> int:
        """Number of the codec; 0 for none."""
        return self.attributes & CODEC_MASK

    @property
    def is_transactional(self) -> bool:
        """Whether the batch belongs to a transaction."""
        return self.magic == 2 and bool(self.attributes & TRANSACTIONAL_MASK)

    @property
    def is_control(self) -> bool:
        """Whether it holds the end of a transaction and no records for a reader."""
        return self.magic == 2 and bool(self.attributes & CONTROL_MASK)

    @property
    def claimed_end(self) -> int:
        """The offset behind its last one, as far as its header can be read: an unknown format may keep the fields."""
        if self.magic in {0, 1} or len(self.raw) < HEADER.size:
            return self.base_offset + 1
        return self.base_offset + int(HEADER.unpack_from(self.raw)[6]) + 1

    @property
    def is_intact(self) -> bool:
        """Whether the checksum agrees with the content; False for an unknown format."""
        if self.magic == 2:
            return bool(calc_crc32c(memoryview(self.raw)[CHECKED_FROM:]) == self.checksum)
        if self.magic in {0, 1}:
            return binascii.crc32(memoryview(self.raw)[LEGACY_CHECKED_FROM:]) == self.checksum
        return False


def cut(buffer: bytes, at: int) -> Batch:
    """Cut the next batch out of a fetched buffer.

    Args:
        buffer: What a broker has sent for one partition.
        at: Where the batch begins.

    Raises:
        BatchError: If no complete batch begins there, so that its end is not known.
    """
    rest = len(buffer) - at
    if rest < LEADER.size:
        raise BatchError(Fault.TRUNCATED, f"it ends after {rest} bytes, within its header")
    base_offset, length, _, magic = LEADER.unpack_from(buffer, at)
    size = length + LOG_OVERHEAD
    if size < SHORTEST_BYTES:
        raise BatchError(
            Fault.STRUCTURE, f"it gives its length as {length} bytes, which no batch has"
        )
    if size > rest:
        raise BatchError(
            Fault.TRUNCATED, f"it has {rest:,} of the {size:,} bytes that its header announces"
        )
    raw = bytes(memoryview(buffer)[at : at + size])
    if magic == 2 and size >= HEADER.size:
        (_, _, epoch, _, checksum, attributes, delta, first, latest, producer, _, _, count) = (
            HEADER.unpack_from(raw)
        )
        return Batch(
            raw,
            magic,
            base_offset,
            base_offset + delta,
            epoch,
            checksum,
            attributes,
            first,
            latest,
            producer,
            count,
        )
    if magic in {0, 1}:
        checksum, _, attributes = struct.unpack_from(">Ibb", raw, LOG_OVERHEAD)
        return Batch(raw, magic, base_offset, base_offset, checksum=checksum, attributes=attributes)
    return Batch(raw, magic, base_offset, base_offset)


def decode(batch: Batch, limit: int = UNPACKED_LIMIT_BYTES) -> list[BatchRecord]:
    """Decode the records of a batch.

    Args:
        batch: A complete batch.
        limit: The most that its records may unpack to, in bytes.

    Returns:
        The records in the order of their offsets. Empty for a batch that compaction has emptied.

    Raises:
        BatchError: If the batch cannot be decoded, for whatever reason.
    """
    if batch.magic not in {0, 1, 2}:
        raise BatchError(
            Fault.FORMAT, f"its format has the number {batch.magic}, and 0 to 2 are known"
        )
    if batch.magic == 2 and len(batch.raw) < HEADER.size:
        raise BatchError(
            Fault.STRUCTURE,
            f"it has {len(batch.raw)} bytes, and its header alone needs {HEADER.size}",
        )
    if not batch.is_intact:
        raise BatchError(Fault.CHECKSUM, "its checksum does not agree with its content")
    try:
        return decode_current(batch, limit) if batch.magic == 2 else decode_legacy(batch, limit)
    except UnpackedTooLargeError as error:
        raise BatchError(Fault.TOO_LARGE, str(error)) from None
    except CodecError as error:
        raise BatchError(Fault.CODEC, str(error)) from None
    except (IndexError, struct.error):
        raise BatchError(Fault.STRUCTURE, "a record of it ends within a field") from None


def decode_current(batch: Batch, limit: int) -> list[BatchRecord]:
    """Decode format 2.

    Raises:
        BatchError, CodecError, IndexError: If the content is damaged.
    """
    body = batch.raw[HEADER.size :]
    if batch.codec:
        body = decompress(batch.codec, body, limit) if batch.count or body else b""
    if batch.count < 0 or batch.last_offset < batch.base_offset:
        raise BatchError(
            Fault.STRUCTURE,
            f"it announces {batch.count} records, from offset {batch.base_offset} to {batch.last_offset}",
        )
    records: list[BatchRecord] = []
    at, before = 0, batch.base_offset - 1
    for _ in range(batch.count):
        record, at = decode_record(batch, body, at)
        if not before < record.offset <= batch.last_offset:
            raise BatchError(
                Fault.OFFSETS,
                f"a record has the offset {record.offset}, outside of {before + 1} to {batch.last_offset}",
            )
        before = record.offset
        records.append(record)
    if at != len(body):
        raise BatchError(
            Fault.STRUCTURE, f"{len(body) - at:,} bytes are left behind its last record"
        )
    return records


def decode_record(batch: Batch, body: bytes, at: int) -> tuple[BatchRecord, int]:
    """Decode one record of format 2; return it and where the next one begins.

    Raises:
        BatchError, IndexError: If the content is damaged.
    """
    length, at = varint(body, at)
    end = at + length
    if length < 0 or end > len(body):
        raise BatchError(
            Fault.STRUCTURE,
            f"a record gives its length as {length} bytes, and {len(body) - at} follow",
        )
    delta, at = varint(body, at + 1)
    offset_delta, at = varint(body, at)
    key, at = field(body, at, end)
    value, at = field(body, at, end)
    count, at = varint(body, at)
    headers = []
    if not 0 <= count <= end - at:
        raise BatchError(Fault.STRUCTURE, f"a record announces {count} headers in {end - at} bytes")
    for _ in range(count):
        name, at = field(body, at, end)
        content, at = field(body, at, end)
        headers.append(((name or b"").decode(errors="replace"), content))
    if at != end:
        raise BatchError(
            Fault.STRUCTURE, f"a record of {length} bytes has fields of {length + at - end}"
        )
    timestamp = (
        batch.max_timestamp
        if batch.attributes & APPEND_TIME_MASK
        else batch.first_timestamp + delta
    )
    return BatchRecord(batch.base_offset + offset_delta, timestamp, key, value, tuple(headers)), end


def decode_legacy(batch: Batch, limit: int) -> list[BatchRecord]:
    """Decode formats 0 and 1: one message, or a compressed message that wraps others.

    Raises:
        BatchError, CodecError, struct.error: If the content is damaged.
    """
    outer = decode_message(batch.raw)
    if not batch.codec:
        return [outer]
    if outer.value is None:
        raise BatchError(Fault.STRUCTURE, "it is compressed and empty")
    body = decompress(batch.codec, outer.value, limit)
    inner, at = [], 0
    while at < len(body):
        message = cut(body, at)
        if message.codec or message.magic == 2:
            raise BatchError(Fault.STRUCTURE, "it is compressed twice, or mixes formats")
        if not message.is_intact:
            raise BatchError(
                Fault.CHECKSUM, "the checksum of a message in it does not agree with its content"
            )
        inner.append(decode_message(message.raw))
        at += len(message.raw)
    if not inner:
        raise BatchError(Fault.STRUCTURE, "it is compressed and holds nothing")
    shift = batch.base_offset - inner[-1].offset if batch.magic == 1 else 0
    appended = batch.magic == 1 and batch.attributes & APPEND_TIME_MASK
    return [
        BatchRecord(
            one.offset + shift, outer.timestamp if appended else one.timestamp, one.key, one.value
        )
        for one in inner
    ]


def decode_message(raw: bytes) -> BatchRecord:
    """Decode one message of format 0 or 1.

    Raises:
        BatchError, struct.error: If the content is damaged.
    """
    offset, _, _, magic = LEADER.unpack_from(raw)
    at, timestamp = LEADER.size + 1, -1
    if magic == 1:
        (timestamp,) = struct.unpack_from(">q", raw, at)
        at += 8
    fields: list[bytes | None] = []
    for _ in range(2):
        (length,) = struct.unpack_from(">i", raw, at)
        at += 4
        if length > len(raw) - at or length < -1:
            raise BatchError(Fault.STRUCTURE, f"a field gives its length as {length} bytes")
        fields.append(None if length < 0 else raw[at : at + length])
        at += max(0, length)
    return BatchRecord(offset, timestamp, fields[0], fields[1])


def is_abort(records: list[BatchRecord]) -> bool:
    """Return whether the records of a control batch end a transaction as aborted."""
    key = records[0].key if records else None
    return (
        key is not None
        and len(key) >= CONTROL_KEY.size
        and CONTROL_KEY.unpack_from(key)[1] == ABORT
    )


def field(body: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    """Decode a field with its length in front; return it (None for a null) and where the next one begins.

    Raises:
        BatchError: If it would end behind its record.
    """
    length, at = varint(body, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise BatchError(
            Fault.STRUCTURE, f"a field gives its length as {length} bytes, and {end - at} follow"
        )
    return body[at : at + length], at + length


def varint(body: bytes, at: int) -> tuple[int, int]:
    """Decode a number in the zigzag form of variable length; return it and where the next one begins.

    Raises:
        BatchError: If it has more than ten bytes.
        IndexError: If the data ends within it.
    """
    value = shift = 0
    while shift < VARINT_BITS:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise BatchError(Fault.STRUCTURE, "a number in it has more than ten bytes")
