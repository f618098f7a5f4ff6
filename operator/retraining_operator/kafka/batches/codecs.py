"""Decompresses Kafka record batches. The decompressed size is limited.

All codecs of Kafka 4 are decompressed with one library, cramjam. It writes into a buffer of a given
size, so that a small batch cannot fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cramjam

DECOMPRESSED_LIMIT_BYTES = 32 * 1024 * 1024
"""The limit for the decompressed records of one batch.

Brokers accept batches of 1 MB by default, and a trigger has at most 64 KiB.
"""
BUFFER_BYTES = (256 * 1024, 4 * 1024 * 1024)
"""Sizes that are tried before the limit, so that a usual batch takes little memory."""
NAMES = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""The codecs by their number in a batch's attributes."""
XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER_BYTES = 16
BUFFER_TOO_SMALL = "failed to write whole buffer"


class CodecError(Exception):
    """The codec is unknown, or the data is damaged."""


class DecompressedTooLargeError(CodecError):
    """The decompressed data would exceed the limit."""


def decompress(
    codec: int, data: bytes | memoryview, limit: int = DECOMPRESSED_LIMIT_BYTES
) -> memoryview:
    """Decompress the records of a batch.

    Args:
        codec: Number of the codec in the batch's attributes, 1 to 4.
        data: The compressed records.
        limit: The largest allowed result, in bytes.

    Returns:
        The decompressed records.

    Raises:
        CodecError: If the codec is unknown or the data is damaged.
        DecompressedTooLargeError: If the result would have more than `limit` bytes.
    """
    if codec == 2:
        return memoryview(decompress_snappy(bytes(data), limit))
    decompressors: dict[int, Callable[[bytes | memoryview, bytearray], int]] = {
        1: cramjam.gzip.decompress_into,
        3: cramjam.lz4.decompress_into,
        4: cramjam.zstd.decompress_into,
    }
    if codec not in decompressors:
        raise CodecError(f"its codec has the number {codec}, which Kafka does not define")
    for size in [*(size for size in BUFFER_BYTES if size < limit), limit]:
        buffer = bytearray(size)
        try:
            written = decompressors[codec](data, buffer)
        except cramjam.DecompressionError as error:
            if BUFFER_TOO_SMALL in str(error):
                continue
            raise CodecError(f"its {NAMES[codec]} data is damaged: {error}") from None
        return memoryview(buffer)[:written]  # a copy would take as much memory again
    raise DecompressedTooLargeError(
        f"its {NAMES[codec]} data ({len(data):,} bytes) decompresses to more than {limit:,} bytes"
    )


def decompress_snappy(data: bytes, limit: int) -> bytes:
    """Decompress snappy data: one block, or several in the xerial framing of Kafka's Java client.

    Args:
        data: The compressed records.
        limit: The largest allowed result, in bytes.

    Returns:
        The decompressed records.

    Raises:
        CodecError: If the data is damaged.
        DecompressedTooLargeError: If the result would have more than `limit` bytes.
    """
    if not data.startswith(XERIAL_MAGIC):
        return decompress_snappy_block(data, limit)
    blocks, at, size = [], XERIAL_HEADER_BYTES, 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if length < 0 or at + length > len(data):
            raise CodecError(
                "its snappy data is damaged: a block is longer than the rest of the data"
            )
        blocks.append(decompress_snappy_block(data[at : at + length], limit - size))
        size += len(blocks[-1])
        at += length
    return b"".join(blocks)


def decompress_snappy_block(block: bytes, limit: int) -> bytes:
    """Decompress one block of snappy.

    Args:
        block: The compressed block.
        limit: The largest allowed result, in bytes.

    Returns:
        The decompressed block.

    Raises:
        CodecError: If the block is damaged.
        DecompressedTooLargeError: If the result would have more than `limit` bytes.
    """
    snappy: Any = cramjam.snappy
    try:
        size = snappy.decompress_raw_len(block)
        if size > limit:
            raise DecompressedTooLargeError(
                f"its snappy data ({len(block):,} bytes) decompresses to more than {limit:,} bytes"
            )
        buffer = bytearray(size)
        written = snappy.decompress_raw_into(block, buffer)
    except cramjam.DecompressionError as error:
        raise CodecError(f"its snappy data is damaged: {error}") from None
    return bytes(memoryview(buffer)[:written])
