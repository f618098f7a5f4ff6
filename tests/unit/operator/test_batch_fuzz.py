"""10,000 partitions with damaged batches: reading never stops, and skipped batches are named."""

from __future__ import annotations

import random
import struct
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import CompletedFetch
from kafka.consumer.subscription_state import SubscriptionState
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from retraining_operator.kafka import fetch_retries, fetcher
from retraining_operator.kafka.batches.item import UndecodableBatch
from retraining_operator.kafka.batches.record_batch import CHECKED_FROM
from retraining_operator.kafka.fetcher import Fetcher

pytestmark = pytest.mark.slow

PARTITION = TopicPartition("t", 0)
CRC_AT = 17
CPU_SECONDS = 120
"""For 2,500 partitions; it takes about 10 s."""
CONTROL_COMMIT, CONTROL_ABORT = b"\0\0\0\1", b"\0\0\0\0"
TRANSACTIONAL, CONTROL = 0x10, 0x20
PRODUCER = 77


@dataclass
class LoggedBatch:
    """A batch in the log, and what is known of it."""

    base: int
    last: int
    raw: bytes
    values: list[bytes]
    is_damaged: bool = False
    is_lost: bool = False
    """Whether its length is wrong, so that a broker's answer ends there."""


def build(
    base: int, values: list[bytes], codec: int = 0, producer: int = -1, key: bytes | None = None
) -> bytearray:
    epoch = sequence = 0 if producer >= 0 else -1
    builder = DefaultRecordBatchBuilder(
        2, codec, producer >= 0, producer, epoch, sequence, 1_000_000
    )
    for at, value in enumerate(values):
        builder.append(at, 1_750_000_000_000, key, value, [])
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, base)
    return raw


def seal(raw: bytearray) -> None:
    """Correct the checksum, so that only the content is damaged."""
    struct.pack_into(">I", raw, CRC_AT, calc_crc32c(memoryview(bytes(raw))[CHECKED_FROM:]))


def make(draw: random.Random, base: int) -> LoggedBatch:
    values = [
        f"{base}.{number}".encode() * draw.choice((1, 1, 30))
        for number in range(draw.choice((1, 1, 2, 5)))
    ]
    kind = draw.randrange(16)
    raw = build(base, values, draw.choice((0, 0, 1, 2, 3, 4)))
    last = base + len(values) - 1
    if kind == 0:  # compaction has left nothing
        raw = build(base, [])
        struct.pack_into(">i", raw, 23, 3)
        seal(raw)
        return LoggedBatch(base, base + 3, bytes(raw), [])
    if kind == 1:  # the end of a transaction
        raw = build(
            base,
            [b"\0\0\0\0\0\0"],
            producer=PRODUCER,
            key=draw.choice((CONTROL_COMMIT, CONTROL_ABORT)),
        )
        struct.pack_into(">h", raw, CHECKED_FROM, TRANSACTIONAL | CONTROL)
        seal(raw)
        return LoggedBatch(base, base, bytes(raw), [])
    if kind == 2:  # compaction has taken the last records
        struct.pack_into(">i", raw, 23, len(values) + 4)
        seal(raw)
        return LoggedBatch(base, base + len(values) + 4, bytes(raw), values)
    if kind < 8:
        return damage(draw, LoggedBatch(base, last, bytes(raw), values, is_damaged=True))
    return LoggedBatch(base, last, bytes(raw), values)


def damage(draw: random.Random, made: LoggedBatch) -> LoggedBatch:
    raw = bytearray(made.raw)
    how = draw.randrange(9)
    if how == 0:
        raw[draw.randrange(CHECKED_FROM, len(raw))] ^= 1 << draw.randrange(8)
    elif how == 1:
        raw[16] = draw.choice((3, 9, 127, 255))
    elif how == 2:
        struct.pack_into(">h", raw, CHECKED_FROM, draw.choice((5, 6, 7)))
        seal(raw)
    elif how == 3:
        struct.pack_into(">h", raw, CHECKED_FROM, draw.choice((1, 2, 3, 4)))
        raw[61:] = draw.randbytes(len(raw) - 61)
        seal(raw)
    elif how == 4:
        struct.pack_into(
            ">i", raw, 57, draw.choice((-1, -(2**31), 2**31 - 1, len(made.values) + 1))
        )
        seal(raw)
    elif how == 5:
        struct.pack_into(">I", raw, CRC_AT, draw.getrandbits(32) | 1)
    elif how == 6:
        raw[61:] = b"\xff" * (len(raw) - 61)
        struct.pack_into(">h", raw, CHECKED_FROM, 0)
        seal(raw)
    elif how == 7:
        struct.pack_into(">i", raw, 8, draw.choice((-1, 0, 5, -(2**31))))
        made.is_lost = True
    else:
        struct.pack_into(
            ">i", raw, 23, 2**31 - 1
        )  # the last offset, without a checksum that agrees
    made.raw = bytes(raw)
    return made


def make_log(draw: random.Random) -> list[LoggedBatch]:
    log, at = [], draw.choice((0, 5, 10**12))
    for _ in range(draw.randrange(1, 9)):
        log.append(make(draw, at))
        at = log[-1].last + 1 + draw.choice((0, 0, 0, 7))  # compaction leaves gaps
    return [*log, LoggedBatch(at, at, bytes(build(at, [b"the last"])), [b"the last"])]


def start(log: list[LoggedBatch]) -> Fetcher:
    subscriptions = SubscriptionState("none")
    subscriptions.assign_from_user([PARTITION])
    subscriptions.seek(PARTITION, log[0].base)
    cluster = SimpleNamespace(leader_epoch_for_partition=lambda _: 0, request_update=lambda: None)
    client = SimpleNamespace(_manager=SimpleNamespace(_net=None, cluster=cluster))
    found = Fetcher(client, subscriptions, isolation_level="read_committed")

    def find_readable(_: Any, position: int, *, or_end: bool) -> int | None:  # noqa: ARG001
        return next((one.base for one in log if one.base > position and not one.is_lost), None)

    probe: Any = found.log_probe
    probe.find_readable = find_readable
    return found


def answer(draw: random.Random, log: list[LoggedBatch], position: int) -> SimpleNamespace:
    rest = [one for one in log if one.last >= position][: draw.randrange(1, 6)]
    records = b"".join(one.raw for one in rest)
    if len(rest) > 1 and draw.random() < 0.3:
        records = records[
            : -draw.randrange(1, len(rest[-1].raw))
        ]  # a broker cuts off what is too much
    end = log[-1].last + 1
    return SimpleNamespace(
        error_code=0,
        high_watermark=end,
        last_stable_offset=end,
        aborted_transactions=None,
        records=records,
        diverging_epoch=None,
        preferred_read_replica=-1,
        current_leader=None,
    )


def read_all(
    draw: random.Random, log: list[LoggedBatch], clock: list[float]
) -> tuple[list[Any], int]:
    reading, items, polls, end = start(log), [], 0, log[-1].last + 1
    while reading._subscriptions.assignment[PARTITION].position.offset < end:
        polls += 1
        assert polls < 60, "reading does not come to the end"
        clock[0] += fetch_retries.MAX_BACKOFF_SECONDS
        position = reading._subscriptions.assignment[PARTITION].position.offset
        if reading._fetchable_partitions():
            reading._completed_fetches.append(
                CompletedFetch(PARTITION, position, 12, answer(draw, log, position), None)
            )
        found, _ = reading.fetched_records(draw.choice((1, 3, 200)))
        items += found.get(PARTITION, [])
    return items, polls


@pytest.mark.parametrize("seed", range(4))
def test_reading_continues_after_batches_that_cannot_be_decoded(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    for module in (fetch_retries, fetcher):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    began = time.process_time()
    for number in range(2_500):
        draw = random.Random(f"{seed}.{number}")  # noqa: S311  # not a secret
        log = make_log(draw)
        items, _ = read_all(draw, log, clock)
        skipped = [item for item in items if isinstance(item, UndecodableBatch)]
        values = [item.value for item in items if not isinstance(item, UndecodableBatch)]
        where = f"seed {seed}.{number}: {skipped}"
        for made in log:
            named = any(
                one.first_offset <= made.base and made.last <= one.offset for one in skipped
            )
            if made.is_damaged:
                assert named or all(value in values for value in made.values), where
            else:
                assert [values.count(value) for value in made.values] == [1] * len(made.values), (
                    where
                )
        assert all(
            one.message and one.topic == "t" and one.first_offset <= one.offset for one in skipped
        )
        assert [item.offset for item in items] == sorted(item.offset for item in items), where
    assert time.process_time() - began < CPU_SECONDS
