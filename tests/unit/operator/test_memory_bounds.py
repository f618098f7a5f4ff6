"""What waits costs little memory, however large it was sent."""

from __future__ import annotations

import gc
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import cramjam
import pytest
from kafka import TopicPartition
from kafka.record.util import calc_crc32c

from retraining_operator.api.trigger import Malformed, MalformedRecordError
from retraining_operator.intake.record_parser import parse_record
from retraining_operator.kafka.batches.item import UndecodableBatch, get_value_size, measure_item
from retraining_operator.kafka.batches.partition_reader import PartitionReader
from retraining_operator.kafka.batches.record_batch import KEPT_VALUE_BYTES, Fault
from retraining_operator.kafka.dead_letter import build_dead_letter
from retraining_operator.kafka.dead_letters import OPEN_BYTES_LIMIT, DeadLetters
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache
from retraining_operator.watch.job_details import PODS_LIMIT
from tests.unit.operator.attempts import job_owner
from tests.unit.operator.test_dead_letter import MalformedRecord

Build = Callable[..., dict[str, Any]]
WAITING = 1000
RECORD = "x" * 65_000
PARTITION = TopicPartition("drift", 0)
CODECS: dict[int, Callable[[bytes], Any]] = {
    1: cramjam.gzip.compress,
    3: cramjam.lz4.compress,
    4: cramjam.zstd.compress,
}


def waiting_request(request_body: Build, number: int) -> dict[str, Any]:
    trigger = {
        "topic": "drift",
        "partition": 0,
        "offset": number,
        "timestamp": "2026-03-01T11:00:00.000Z",
        "record": f"{number}{RECORD}",
    }
    body = request_body(f"waiting-{number}", {"reason": "drift", "trigger": trigger})
    body["metadata"]["managedFields"] = [{"manager": "x", "fieldsV1": {"f": "y" * 20_000}}]
    body["metadata"]["annotations"] = {"note": f"{number}" + "z" * 50_000}
    body["status"] = {
        "conditions": [
            {
                "type": "Succeeded",
                "status": "Unknown",
                "reason": "Suspended",
                "message": f"{number}" + "m" * 50_000,
                "lastTransitionTime": "2026-03-01T11:00:00Z",
            }
        ],
        "logTail": f"{number}" + "l" * 16_000,
    }
    return body


def measure_bytes(build: Callable[[], object]) -> float:
    """Return how many bytes an object takes that a function builds."""
    gc.collect()
    tracemalloc.start()
    kept = build()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept is not None
    return size


def test_thousand_waiting_records_of_64_kilobytes_take_little_of_the_cache(
    request_body: Build,
) -> None:
    def fill() -> ClusterCache:
        cache = ClusterCache()
        for number in range(WAITING):
            cache.update_request(waiting_request(request_body, number))
        assert len(cache.requests) == WAITING
        return cache

    assert measure_bytes(fill) / WAITING < 12_000


def test_pods_of_one_request_are_bounded(request_body: Build) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    for number in range(10 * PODS_LIMIT):
        ended = {"exitCode": 1, "message": "x" * 4096, "finishedAt": "2026-03-01T11:04:00Z"}
        cache.update_pod(
            {
                "metadata": {
                    "uid": f"p{number}",
                    "name": f"p{number}",
                    "resourceVersion": str(number),
                    "labels": {"retraining.dev/request-uid": "uid-of-first"},
                    "ownerReferences": [job_owner()],
                },
                "status": {
                    "containerStatuses": [{"name": "trainer", "state": {"terminated": ended}}]
                },
            }
        )
    assert len(cache.pods["uid-of-first"]) == PODS_LIMIT


def encode_varint(number: int) -> bytes:
    value, encoded = (number << 1) ^ (number >> 63), b""
    while True:
        byte, value = value & 0x7F, value >> 7
        if not value:
            return encoded + bytes([byte])
        encoded += bytes([byte | 0x80])


def encode_record(offset: int, value: bytes, headers: bytes = b"\0") -> bytes:
    body = b"\0" + encode_varint(0) + encode_varint(offset) + encode_varint(-1)
    body += encode_varint(len(value)) + value + headers
    return encode_varint(len(body)) + body


def build_batch(records: bytes, count: int, codec: int = 4, base: int = 0) -> bytes:
    """Build a batch of format 2 with compressed records."""
    content = bytes(CODECS[codec](records))
    head = struct.pack(">hiqqqhii", codec, count - 1, 0, 0, -1, -1, -1, count)
    checked = head + content
    return (
        struct.pack(">qiib", base, 9 + len(checked), 0, 2)
        + struct.pack(">I", calc_crc32c(checked))
        + checked
    )


def peak_bytes(read: Callable[[], object]) -> float:
    """Return the peak of memory that Python allocates while a function runs."""
    gc.collect()
    tracemalloc.start()
    read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_record_with_millions_of_headers_takes_little_memory() -> None:
    """1.5 KB on the wire."""
    count = 4_000_000
    headers = encode_varint(count) + (encode_varint(0) + encode_varint(-1)) * count
    raw = build_batch(encode_record(0, b"{}", headers), 1)
    assert len(raw) < 10_000
    found: list[Any] = []
    assert peak_bytes(lambda: found.extend(PartitionReader(PARTITION, 0, raw).take(200))) < 70e6
    [record] = found
    assert (record.value, record.headers) == (b"{}", [])


@pytest.mark.parametrize("codec", CODECS)
def test_batches_of_one_huge_record_each_are_not_read_all_at_once(codec: int) -> None:
    """20 batches of 30 MB each, of some kilobytes on the wire, in one answer of the broker."""
    one = build_batch(encode_record(0, b"\0" * 30_000_000), 1, codec)
    raw = b"".join(struct.pack(">q", base) + one[8:] for base in range(20))
    reader = PartitionReader(PARTITION, 0, raw)
    reader.budget_bytes = 4_000_000
    taken: list[Any] = []
    assert peak_bytes(lambda: taken.extend(reader.take(200))) < 90e6
    assert [record.offset for record in taken] == [0, 1, 2, 3]
    assert {get_value_size(record) for record in taken} == {30_000_000}
    assert {len(record.value) for record in taken} == {KEPT_VALUE_BYTES}
    with pytest.raises(MalformedRecordError) as error:
        parse_record(taken[0])
    assert error.value.kind is Malformed.TOO_LARGE
    assert "30,000,000 bytes" in str(error.value)
    reader.budget_bytes = 4_000_000
    assert [record.offset for record in reader.take(2)] == [4, 5]


@pytest.mark.parametrize("codec", CODECS)
def test_record_that_unpacks_to_300_megabytes_is_skipped_and_named(codec: int) -> None:
    one = build_batch(encode_record(0, b"\0" * 300_000_000), 1, codec)
    raw = b"".join(struct.pack(">q", base) + one[8:] for base in range(3))
    assert len(one) < 2_000_000
    items: list[Any] = []
    assert peak_bytes(lambda: items.extend(PartitionReader(PARTITION, 0, raw).take(200))) < 90e6
    assert [(item.fault, item.offset) for item in items] == [
        (Fault.TOO_LARGE, offset) for offset in range(3)
    ]


def test_batch_of_too_many_tiny_records_is_skipped_before_they_are_decoded() -> None:
    count = 1_000_000
    raw = build_batch(encode_record(0, b"") * count, count)
    assert len(raw) < 100_000
    [item] = PartitionReader(PARTITION, 0, raw, end=count).take(200)
    assert isinstance(item, UndecodableBatch)
    assert (item.fault, item.first_offset, item.offset) == (Fault.TOO_LARGE, 0, count - 1)


def test_many_records_of_a_batch_are_decoded_only_while_they_are_taken() -> None:
    count = 10_000
    records = b"".join(encode_record(number, b"{}") for number in range(count))
    reader = PartitionReader(PARTITION, 0, build_batch(records, count))
    assert peak_bytes(lambda: reader.take(200)) < 1.5e6
    assert reader.next_fetch_offset == 200
    rest = reader.take(count)
    assert [rest[0].offset, rest[-1].offset, len(rest)] == [200, count - 1, count - 200]
    assert reader.next_fetch_offset == count


def test_kept_record_is_measured_with_key_and_headers() -> None:
    record: Any = SimpleNamespace(value=b"12", key=b"345", headers=[("a", b"67"), ("b", None)])
    assert (
        measure_item(record) == measure_item(SimpleNamespace(value=None, key=None, headers=[])) + 9
    )


def dead_letters(settings: Settings) -> DeadLetters:
    kafka = settings.kafka.model_copy(update={"dead_letter_topic": "dead"})
    return DeadLetters(kafka, lambda _: nullcontext())


async def test_open_dead_letters_are_bounded_in_bytes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = dead_letters(settings)

    class FullError(Exception):
        pass

    async def send_open() -> None:
        raise FullError  # so the letter waits for the topic

    monkeypatch.setattr(letters, "send_open", send_open)

    async def add_all() -> None:
        for offset in range(100):
            await letters.add(MalformedRecord(value=b"x" * 1_000_000, offset=offset), "k", "m")

    with pytest.raises(FullError):
        await add_all()
    assert letters.count_open() == -(-OPEN_BYTES_LIMIT // 1_000_000)


def test_value_of_which_only_the_beginning_is_kept_is_not_sent_as_a_dead_letter() -> None:
    raw = build_batch(encode_record(0, b"\0" * 2_000_000), 1)
    [record] = PartitionReader(PARTITION, 0, raw).take(1)
    letter = build_dead_letter(record, "too_large", "m")
    assert not letter.value
    assert "retraining-value" in dict(letter.headers)
