"""Every codec is read. An undecodable batch is logged and skipped, and reading continues."""

import asyncio
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka.record.util import calc_crc32c

from retraining_operator.kafka.batches.record_batch import CHECKED_FROM, HEADER, Fault
from tests.integration.operator.consumed_triggers import consuming, until
from tests.integration.operator.own_kafka import Broker, Brokers, own_kafka

pytestmark = pytest.mark.xdist_group("own_kafka")


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with own_kafka(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def broker(brokers: Brokers) -> Broker:
    return brokers.all[0]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_is_read(brokers: Brokers, broker: Broker, codec: str) -> None:
    topics = [f"sent-{codec}", f"kept-{codec}"]
    await asyncio.to_thread(broker.make, topics[0])
    await asyncio.to_thread(broker.make, topics[1], configs={"compression.type": codec})
    await asyncio.to_thread(
        broker.send, topics[0], b"plain", b"x" * 200, b"y" * 200_000, compression_type=codec
    )
    await asyncio.to_thread(broker.send, topics[1], b"plain", b"x" * 200, b"y" * 200_000)
    for topic in topics:
        async with consuming(brokers.settings(topic)) as (_, taken):
            await until(lambda: len(taken.values) + len(taken.skipped) == 3)
            assert taken.values == [b"plain", b"x" * 200, b"y" * 200_000]


def damage(segment: Path, number: int, change: Any) -> None:
    """Change the bytes of a batch in a broker's log."""
    data = bytearray(segment.read_bytes())
    at = 0
    for _ in range(number):
        at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    size = 12 + struct.unpack_from(">i", data, at + 8)[0]
    batch = bytearray(data[at : at + size])
    change(batch)
    data[at : at + size] = batch
    segment.write_bytes(data)


def content(batch: bytearray) -> None:
    batch[-3] ^= 0xFF


def magic(batch: bytearray) -> None:
    batch[16] = 9


def codec(batch: bytearray) -> None:
    struct.pack_into(">h", batch, CHECKED_FROM, 7)
    struct.pack_into(">I", batch, 17, calc_crc32c(memoryview(bytes(batch))[CHECKED_FROM:]))


def length(batch: bytearray) -> None:
    struct.pack_into(">i", batch, 8, 5)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (content, Fault.CHECKSUM),
        (magic, Fault.FORMAT),
        (codec, Fault.CODEC),
        (length, Fault.UNREADABLE),
    ],
)
async def test_batch_damaged_in_the_brokers_log_is_named_and_the_rest_is_read(
    brokers: Brokers, broker: Broker, change: Any, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining_operator.kafka.fetch_retries.BROKER_PATIENCE_SECONDS", 1.0)
    topic = f"damaged-{change.__name__}"
    await asyncio.to_thread(broker.make, topic, 2, configs={"segment.ms": "100"})
    with closing(broker.producer(linger_ms=0)) as producer:
        for value in (b"0", b"1", b"2", b"3"):  # of one moment, so that all are in one segment
            producer.send(topic, value, partition=0, timestamp_ms=1_750_000_000_000).get(20)
    await asyncio.to_thread(broker.send, topic, b"other", partition=1)
    await asyncio.to_thread(damage, broker.segment(topic), 1, change)
    async with consuming(brokers.settings(topic)) as (_, taken):
        await until(lambda: b"other" in taken.values)
        await asyncio.sleep(0.2)  # so that what comes now is in a segment of its own
        await asyncio.to_thread(broker.send, topic, b"later")
        await until(lambda: b"later" in taken.values)
    [skipped] = taken.skipped
    assert skipped.fault is fault
    assert (skipped.topic, skipped.partition, skipped.first_offset) == (topic, 0, 1)
    read = [value for value in taken.values if value != b"other"]
    assert read == ([b"0", b"later"] if fault is Fault.UNREADABLE else [b"0", b"2", b"3", b"later"])
    assert skipped.offset == (3 if fault is Fault.UNREADABLE else 1)


def test_header_is_as_long_as_kafka_writes_it() -> None:
    assert HEADER.size == 61
