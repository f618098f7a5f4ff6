"""Decompression of Kafka record batches, bounded in size. Pure.

One library (cramjam) reads every codec that Kafka 4 knows. It writes into a buffer of a given size,
so that a small batch cannot fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cramjam

UNPACKED_LIMIT_BYTES = 32 * 1024 * 1024
"""The most that one batch may unpack to.

Brokers take batches of 1 MB by default, and a trigger has at most 64 KiB.
"""
FIRST_TRY_BYTES = 256 * 1024
NAMES = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""The codecs by the number in a batch's attributes."""
XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER_BYTES = 16
BUFFER_TOO_SMALL = "failed to write whole buffer"


class CodecError(Exception):
    """The codec is unknown, or the data is not what the codec writes."""


class UnpackedTooLargeError(CodecError):
    """The data unpacks to more than the limit."""


def decompress(codec: int, data: bytes, limit: int = UNPACKED_LIMIT_BYTES) -> bytes:
    """Decompress the records of a batch.

    Args:
        codec: Number of the codec in the batch's attributes, 1 to 4.
        data: The compressed records.
        limit: The most that the result may have, in bytes.

    Raises:
        CodecError: If the codec is unknown or the data is damaged.
        UnpackedTooLargeError: If the result would have more than `limit` bytes.
    """
    if codec == 2:
        return unpack_snappy(data, limit)
    into: dict[int, Callable[[bytes, bytearray], int]] = {
        1: cramjam.gzip.decompress_into,
        3: cramjam.lz4.decompress_into,
        4: cramjam.zstd.decompress_into,
    }
    if codec not in into:
        raise CodecError(f"its codec has the number {codec}, which Kafka does not define")
    for size in (min(FIRST_TRY_BYTES, limit), limit):
        buffer = bytearray(size)
        try:
            written = into[codec](data, buffer)
        except cramjam.DecompressionError as error:
            if BUFFER_TOO_SMALL in str(error):
                continue
            raise CodecError(f"its {NAMES[codec]} data is damaged: {error}") from None
        return bytes(memoryview(buffer)[:written])
    raise UnpackedTooLargeError(
        f"its {NAMES[codec]} data ({len(data):,} bytes) unpacks to more than {limit:,} bytes"
    )


def unpack_snappy(data: bytes, limit: int) -> bytes:
    """Decompress snappy, as one block or in the blocks that Kafka's Java client frames (xerial).

    Raises:
        CodecError: If the data is damaged.
        UnpackedTooLargeError: If the result would have more than `limit` bytes.
    """
    if not data.startswith(XERIAL_MAGIC):
        return unpack_snappy_block(data, limit)
    blocks, at, size = [], XERIAL_HEADER_BYTES, 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if length < 0 or at + length > len(data):
            raise CodecError(
                "its snappy data is damaged: a block is longer than the rest of the data"
            )
        blocks.append(unpack_snappy_block(data[at : at + length], limit - size))
        size += len(blocks[-1])
        at += length
    return b"".join(blocks)


def unpack_snappy_block(block: bytes, limit: int) -> bytes:
    """Decompress one block of snappy.

    Raises:
        CodecError: If the block is damaged.
        UnpackedTooLargeError: If the result would have more than `limit` bytes.
    """
    snappy: Any = cramjam.snappy
    try:
        size = snappy.decompress_raw_len(block)
        if size > limit:
            raise UnpackedTooLargeError(
                f"its snappy data ({len(block):,} bytes) unpacks to more than {limit:,} bytes"
            )
        buffer = bytearray(size)
        written = snappy.decompress_raw_into(block, buffer)
    except cramjam.DecompressionError as error:
        raise CodecError(f"its snappy data is damaged: {error}") from None
    return bytes(memoryview(buffer)[:written])
