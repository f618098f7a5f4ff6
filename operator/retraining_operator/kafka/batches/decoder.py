"""Decodes the records of a batch, as a whole or not at all. Each fault has a kind and a message."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from retraining_operator.kafka.batches.codecs import (
    DECOMPRESSED_LIMIT_BYTES,
    CodecError,
    DecompressedTooLargeError,
    decompress,
)
from retraining_operator.kafka.batches.legacy_decoder import decode_legacy
from retraining_operator.kafka.batches.record_batch import (
    APPEND_TIME_MASK,
    HEADER,
    HEADERS_LIMIT,
    KEPT_HEADER_BYTES,
    KEPT_VALUE_BYTES,
    RECORDS_LIMIT,
    Batch,
    BatchError,
    BatchRecord,
    Fault,
    ReadRecords,
)

VARINT_BITS = 70


def decode_records(batch: Batch, limit: int = DECOMPRESSED_LIMIT_BYTES) -> ReadRecords:
    """Decode the records of a batch.

    Args:
        batch: A complete batch.
        limit: The largest allowed size of the decompressed records, in bytes.

    Returns:
        A function that reads the records in the order of their offsets. There are none if
        compaction has removed all of them.

    Raises:
        BatchError: If the batch cannot be decoded for any reason.
    """
    if batch.magic not in {0, 1, 2}:
        raise BatchError(
            Fault.FORMAT, f"its format has the number {batch.magic}; supported are 0 to 2"
        )
    if batch.magic == 2 and len(batch.raw) < HEADER.size:
        raise BatchError(
            Fault.STRUCTURE,
            f"it has {len(batch.raw)} bytes, and its header alone needs {HEADER.size}",
        )
    if not batch.is_intact:
        raise BatchError(Fault.CHECKSUM, "its checksum does not match its content")
    try:
        decode = decode_current if batch.magic == 2 else decode_legacy
        records = decode(batch, limit)
        for _ in records():  # all of them can be read, or none is
            pass
    except DecompressedTooLargeError as error:
        raise BatchError(Fault.TOO_LARGE, str(error)) from None
    except CodecError as error:
        raise BatchError(Fault.CODEC, str(error)) from None
    except (IndexError, struct.error):
        raise BatchError(Fault.STRUCTURE, "one of its records ends within a field") from None
    return records


def decode_current(batch: Batch, limit: int) -> ReadRecords:
    """Decompress a batch of format 2.

    Args:
        batch: A complete batch with a valid checksum.
        limit: The largest allowed size of the decompressed records, in bytes.

    Returns:
        A function that reads the records in the order of their offsets.

    Raises:
        BatchError, CodecError: If the content is damaged.
    """
    if batch.count > RECORDS_LIMIT:
        raise BatchError(
            Fault.TOO_LARGE, f"it has {batch.count:,} records, more than {RECORDS_LIMIT:,}"
        )
    body = memoryview(batch.raw)[HEADER.size :]
    if batch.codec:
        is_empty = not batch.count and not body
        body = memoryview(b"") if is_empty else decompress(batch.codec, body, limit)
    if batch.count < 0 or batch.last_offset < batch.base_offset:
        raise BatchError(
            Fault.STRUCTURE,
            f"its header claims {batch.count} records from offset {batch.base_offset} to "
            f"{batch.last_offset}",
        )
    return partial(iterate_records, batch, body)


def iterate_records(batch: Batch, body: memoryview) -> Iterator[BatchRecord]:
    """Read the records of a batch of format 2 one after the other.

    Args:
        batch: The batch.
        body: Its decompressed records.

    Yields:
        The records.

    Raises:
        BatchError, IndexError: If the content is damaged.
    """
    at, previous = 0, batch.base_offset - 1
    for _ in range(batch.count):
        record, at = decode_record(batch, body, at)
        if not previous < record.offset <= batch.last_offset:
            raise BatchError(
                Fault.OFFSETS,
                f"one of its records has the offset {record.offset}, outside of {previous + 1} to "
                f"{batch.last_offset}",
            )
        previous = record.offset
        yield record
    if at != len(body):
        raise BatchError(Fault.STRUCTURE, f"{len(body) - at:,} bytes follow its last record")


def decode_record(batch: Batch, body: memoryview, at: int) -> tuple[BatchRecord, int]:
    """Decode one record of format 2.

    Args:
        batch: The batch that contains it.
        body: The decompressed records of the batch.
        at: Index of the record's first byte.

    Returns:
        The record, and the index of the next one.

    Raises:
        BatchError, IndexError: If the content is damaged.
    """
    length, at = decode_varint(body, at)
    end = at + length
    if length < 0 or end > len(body):
        raise BatchError(
            Fault.STRUCTURE,
            f"one of its records claims a length of {length} bytes, but {len(body) - at} follow",
        )
    delta, at = decode_varint(body, at + 1)
    offset_delta, at = decode_varint(body, at)
    key, at = find_field(body, at, end)
    value, at = find_field(body, at, end)
    headers = decode_headers(body, at, end)
    timestamp = (
        batch.max_timestamp
        if batch.attributes & APPEND_TIME_MASK
        else batch.first_timestamp + delta
    )
    record = BatchRecord(
        batch.base_offset + offset_delta,
        timestamp,
        None if key is None else bytes(key[:KEPT_HEADER_BYTES]),
        None if value is None else bytes(value[:KEPT_VALUE_BYTES]),
        headers,
        None if value is None else len(value),
    )
    return record, end


def decode_headers(body: memoryview, at: int, end: int) -> tuple[tuple[str, bytes | None], ...]:
    """Decode the headers of a record.

    Args:
        body: The decompressed records of the batch.
        at: Index of their first byte.
        end: Index after the record.

    Returns:
        Pairs of name and value. Empty if they are too many or too long: they are only copied to a
        dead letter.

    Raises:
        BatchError, IndexError: If the content is damaged.
    """
    began = at
    count, at = decode_varint(body, at)
    if not 0 <= count <= end - at:
        raise BatchError(
            Fault.STRUCTURE, f"one of its records claims {count} headers in {end - at} bytes"
        )
    if count > HEADERS_LIMIT or end - at > KEPT_HEADER_BYTES:
        return ()
    headers = []
    for _ in range(count):
        name, at = find_field(body, at, end)
        content, at = find_field(body, at, end)
        text = bytes(name or b"").decode(errors="replace")
        headers.append((text, None if content is None else bytes(content)))
    if at != end:
        raise BatchError(
            Fault.STRUCTURE,
            f"the headers of one of its records have {end - began} bytes, but {at - began} are "
            "used",
        )
    return tuple(headers)


def find_field(body: memoryview, at: int, end: int) -> tuple[memoryview | None, int]:
    """Find a field that starts with its length.

    Args:
        body: The decompressed records of the batch.
        at: Index of the field's first byte.
        end: Index after the record that contains it.

    Returns:
        The content without a copy, or None for a null, and the index of the next field.

    Raises:
        BatchError: If the field would end after its record.
    """
    length, at = decode_varint(body, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise BatchError(
            Fault.STRUCTURE, f"a field claims a length of {length} bytes, but {end - at} follow"
        )
    return body[at : at + length], at + length


def decode_varint(body: memoryview, at: int) -> tuple[int, int]:
    """Decode an integer in zigzag encoding of variable length.

    Args:
        body: The decompressed records of the batch.
        at: Index of the integer's first byte.

    Returns:
        The integer, and the index of the next byte.

    Raises:
        BatchError: If the integer has more than ten bytes.
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
    raise BatchError(Fault.STRUCTURE, "one of its integers has more than ten bytes")
