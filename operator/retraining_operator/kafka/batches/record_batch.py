"""The header of a Kafka record batch: where the batch ends, what it claims, and its checksum.

Reads format 2 (since Kafka 0.11) and formats 0 and 1, which old segments may still contain.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from kafka.record.util import calc_crc32c

COMMON_HEADER = struct.Struct(">qiib")
"""The part that all formats share: base offset, length, four bytes that differ, magic (format)."""
LOG_OVERHEAD = 12
"""Bytes of offset and length, which are not included in the length."""
HEADER = struct.Struct(">qiibIhiqqqhii")
CHECKED_FROM = struct.calcsize(">qiibI")
"""Where the bytes start that the checksum of format 2 covers."""
LEGACY_CHECKED_FROM = struct.calcsize(">qiI")
SHORTEST_BYTES = 26
"""Size of an empty message in format 0."""
CODEC_MASK = 0x07
APPEND_TIME_MASK = 0x08
TRANSACTIONAL_MASK = 0x10
CONTROL_MASK = 0x20
NO_PRODUCER = -1
RECORDS_LIMIT = 200_000
"""A batch of more records is skipped. A producer would need a batch of many megabytes for them."""
KEPT_VALUE_BYTES = 1_048_576
"""A trigger has at most 64 KiB, and a dead-letter topic accepts a megabyte by default."""
HEADERS_LIMIT = 100
KEPT_HEADER_BYTES = 65_536
"""Headers and keys are only used for dead letters."""


class Fault(StrEnum):
    """Why a batch is skipped.

    Each is a label value of `retraining_consumer_skipped_batches_total`.
    """

    CHECKSUM = "checksum"
    CODEC = "codec"
    FORMAT = "format"
    STRUCTURE = "structure"
    OFFSETS = "offsets"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


class BatchError(Exception):
    """A batch cannot be decoded.

    Args:
        fault: The kind of fault.
        message: What is wrong, as a sentence without its full stop.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One decoded record.

    Args:
        offset: The record's offset in its partition.
        timestamp: Milliseconds since 1970 (UTC), or -1 if the format has none.
        key: The key, or None.
        value: The value, or None. Of a longer one, only KEPT_VALUE_BYTES are kept.
        headers: Pairs of name and value. Empty if they are too many or too long.
        value_bytes: The size of the whole value; None without a value.
    """

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    value_bytes: int | None = None


ReadRecords = Callable[[], Iterator[BatchRecord]]
"""Reads the records of a batch one after the other. All of them at once may fill the memory."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the header of a batch claims.

    Only the length is checked: all bytes of the batch are present.

    Args:
        raw: The bytes of the batch, header included.
        magic: Number of the format, 0 to 2.
        base_offset: Offset of the first record.
        last_offset: Offset of the last record.
        leader_epoch: Epoch of the leader that appended the batch, or -1.
        checksum: The checksum that the header contains.
        attributes: The attribute bits.
        first_timestamp: Milliseconds since 1970 (UTC), or -1.
        max_timestamp: Milliseconds since 1970 (UTC), or -1.
        producer_id: Id of the transactional or idempotent producer, or -1.
        count: Number of records.
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
        """Whether the batch marks the end of a transaction and has no records for a reader."""
        return self.magic == 2 and bool(self.attributes & CONTROL_MASK)

    @property
    def claimed_end(self) -> int:
        """The offset after the last one, read from the header.

        A batch of an unknown format may still have the field in the same place.
        """
        if self.magic in {0, 1} or len(self.raw) < HEADER.size:
            return self.base_offset + 1
        return self.base_offset + int(HEADER.unpack_from(self.raw)[6]) + 1

    @property
    def is_intact(self) -> bool:
        """Whether the checksum matches the content; False for an unknown format."""
        if self.magic == 2:
            return bool(calc_crc32c(memoryview(self.raw)[CHECKED_FROM:]) == self.checksum)
        if self.magic in {0, 1}:
            return binascii.crc32(memoryview(self.raw)[LEGACY_CHECKED_FROM:]) == self.checksum
        return False


def read_batch(buffer: bytes | memoryview, at: int) -> Batch:
    """Read the next batch of a fetched buffer without decoding its records.

    Args:
        buffer: What a broker has sent for one partition.
        at: Index of the first byte of the batch.

    Returns:
        The batch.

    Raises:
        BatchError: If no complete batch starts there, so that its end is unknown.
    """
    rest = len(buffer) - at
    if rest < COMMON_HEADER.size:
        raise BatchError(Fault.TRUNCATED, f"it ends after {rest} bytes, within its header")
    base_offset, length, _, magic = COMMON_HEADER.unpack_from(buffer, at)
    size = length + LOG_OVERHEAD
    if size < SHORTEST_BYTES:
        raise BatchError(
            Fault.STRUCTURE, f"its header claims a length of {length} bytes, which is impossible"
        )
    if size > rest:
        raise BatchError(
            Fault.TRUNCATED, f"it has {rest:,} of the {size:,} bytes that its header claims"
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
