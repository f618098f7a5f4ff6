"""Fuzz targets of what Kafka and the ConfigMap of handled offsets contain."""

from __future__ import annotations

import binascii
import json
import struct
from collections.abc import Callable, Iterator

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder
from kafka.record.util import calc_crc32c

from retraining_operator.api.record_request import build_request, compute_record_key
from retraining_operator.api.trigger import MalformedRecordError
from retraining_operator.contract import to_line
from retraining_operator.intake.handled_offset import parse_entry
from retraining_operator.intake.record_parser import format_position, parse_record
from retraining_operator.kafka.batches.item import Item, get_first_offset
from retraining_operator.kafka.batches.partition_reader import PartitionReader
from retraining_operator.kafka.batches.record_batch import (
    CHECKED_FROM,
    HEADER,
    LEGACY_CHECKED_FROM,
    LOG_OVERHEAD,
    BatchError,
    read_batch,
)
from retraining_operator.kafka.dead_letter import build_dead_letter
from tests.system.random_input import check_sentence

PARTITION = TopicPartition("drift", 0)
VALUE = b'{"reason": "drift", "feature": "amount", "psi": 0.31, "at": "2026-03-01T11:00:00Z"}'
ENTRY = {
    "topic": "drift",
    "partition": 0,
    "topicId": "t",
    "offset": 12,
    "latestTimestampMs": 1000,
    "open": [3, 4],
}
CRC_AT = 17
CODECS = range(5)


def handle(item: Item) -> None:
    """Handle a consumed record as the intake does: as a request, or as a dead letter."""
    try:
        trigger = parse_record(item)
    except MalformedRecordError as error:
        check_sentence(to_line(f"{format_position(item)} ({error.kind}): {error}."))
        letter = build_dead_letter(item, error.kind, str(error))
        assert not (letter.key is None and letter.value is None)
        assert letter.without_content().size_bytes < 10_000
        for name, _ in letter.headers:
            name.encode()
        return
    body = build_request(trigger, "fraud")
    json.dumps(body).encode()
    check_sentence(body["spec"]["reason"])
    assert len(body["metadata"]["name"]) <= 63
    assert compute_record_key(body) is not None


def fuzz_record(data: bytes) -> None:
    """Read the value of a record."""
    size = len(data)
    handle(
        ConsumerRecord(*PARTITION, 0, 12, 1_772_362_800_000, 0, None, data, [], None, -1, size, -1)
    )


def fuzz_batch(data: bytes) -> None:
    """Read the answer of a broker, as it is and with valid checksums."""
    for content in (data, seal(data)):
        read_answer(content)


def read_answer(data: bytes) -> None:
    """Read all records of a broker's answer, and handle them."""
    reader = PartitionReader(PARTITION, 5, data)
    position = 5
    while reader:
        for item in reader.take(100):
            assert position <= get_first_offset(item) <= item.offset
            position = item.offset + 1
            handle(item)
        assert reader.next_fetch_offset >= position
    if reader.unreadable is not None:
        handle(reader.unreadable)


def seal(data: bytes) -> bytes:
    """Correct the checksum of each batch, so that its content is decoded."""
    sealed, at = bytearray(data), 0
    while at < len(data):
        try:
            batch = read_batch(data, at)
        except BatchError:
            break
        if batch.magic == 2 and len(batch.raw) >= HEADER.size:
            checksum = calc_crc32c(memoryview(batch.raw)[CHECKED_FROM:])
            struct.pack_into(">I", sealed, at + CRC_AT, checksum)
        elif batch.magic in {0, 1}:
            checksum = binascii.crc32(memoryview(batch.raw)[LEGACY_CHECKED_FROM:])
            struct.pack_into(">I", sealed, at + LOG_OVERHEAD, checksum)
        at += len(batch.raw)
    return bytes(sealed)


def build_batches() -> Iterator[bytes]:
    """Build an answer for each format and codec."""
    headers = [("trace", b"1"), ("empty", None)]
    for codec in CODECS:
        builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 100_000)
        builder.append(0, 1_772_362_800_000, b"key", VALUE, headers)
        builder.append(1, 1_772_362_800_001, None, None, [])
        raw = bytearray(builder.build())
        struct.pack_into(">q", raw, 0, 5)
        yield bytes(raw)
    for magic in (0, 1):
        for codec in (0, 1, 2):
            legacy = LegacyRecordBatchBuilder(magic, codec, 100_000)
            legacy.append(5, 1_772_362_800_000, b"key", VALUE)
            yield bytes(legacy.build())


def fuzz_entry(data: bytes) -> None:
    """Read an entry of the handled offsets of any shape."""
    parsed = parse_entry(data.decode(errors="replace"))
    if parsed is not None:
        _, partition, entry = parsed
        assert -1 <= partition < 2**63
        assert -1 <= entry.offset < 2**63


TARGETS: dict[str, Callable[[bytes], None]] = {
    "record": fuzz_record,
    "batch": fuzz_batch,
    "entry": fuzz_entry,
}
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "record": lambda: [
        VALUE,
        b"\0\0\0\0\1" + VALUE,
        b"\xef\xbb\xbf" + VALUE,
        b"%s" % json.dumps(VALUE.decode()).encode(),
    ],
    "batch": lambda: [*build_batches(), b"".join(build_batches())],
    "entry": lambda: [json.dumps(ENTRY).encode()],
}
