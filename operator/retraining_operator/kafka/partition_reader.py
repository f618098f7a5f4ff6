"""Turns what a broker has sent for one partition into records, and every batch that cannot be decoded into one item.

An item stands where the batch stood, with its range of offsets, so that whoever handles records
    handles it too: it is named, counted and set aside, and the records behind it go on. Does no
    I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from retraining_operator.kafka.record_batch import (
    SHORTEST_BYTES,
    Batch,
    BatchError,
    BatchRecord,
    Fault,
    cut,
    decode,
    is_abort,
)


@dataclass(frozen=True)
class UndecodableBatch:
    """A range of offsets whose records cannot be decoded.

    It has the fields of a record that its handlers read.
    """

    topic: str
    partition: int
    first_offset: int
    offset: int
    """The last offset, so that the whole range counts as handled once this is."""
    fault: Fault
    message: str
    value: bytes | None
    """The raw bytes; None if the broker did not give them."""
    timestamp: int = -1
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}, offsets {self.first_offset} to {self.offset}"


Item: TypeAlias = ConsumerRecord | UndecodableBatch


@dataclass(frozen=True)
class AbortedTransaction:
    """A transaction whose records no reader may see."""

    producer_id: int
    first_offset: int


class PartitionReader:
    """Reads one answer of a broker for one partition. Has the interface that kafka-python's fetcher expects.

    Args:
        partition: Which partition the answer is for.
        position: The offset that was asked for.
        buffer: The record batches as they were sent.
        end: The offset behind the last record of the partition (its high watermark), or -1 if
            unknown.
        aborted: Transactions to leave out.
        newest_epoch: The newest leader epoch that the cluster knows; a batch that claims a later
            one is not believed.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # facts of one answer
        self,
        partition: TopicPartition,
        position: int,
        buffer: bytes,
        end: int = -1,
        aborted: Iterable[AbortedTransaction] = (),
        newest_epoch: int = -1,
    ) -> None:
        self.topic_partition = partition
        self.fetch_offset = position
        self.next_fetch_offset = position
        self.leader_epoch = -1
        self.bytes_read = len(buffer)
        self.obstacle: UndecodableBatch | None = None
        """What stands at the position if its end is not known; `offset` is then the position itself."""
        self._buffer = buffer
        self._at = 0
        self._end = end
        self._newest_epoch = newest_epoch
        self._ready: deque[Item] = deque()
        self._behind = position
        self._waiting = deque(sorted(aborted, key=lambda transaction: transaction.first_offset))
        self._aborting: set[int] = set()
        self._is_drained = False

    @classmethod
    def of_one(cls, item: UndecodableBatch) -> PartitionReader:
        """Build a reader that gives one item and goes on behind it."""
        reader = cls(TopicPartition(item.topic, item.partition), item.first_offset, b"")
        reader._ready.append(item)
        reader._behind = item.offset + 1
        return reader

    def __bool__(self) -> bool:
        return not self._is_drained

    def put_back(self, item: Item) -> None:
        """Return the item that was taken last to the front."""
        self._ready.appendleft(item)
        self.next_fetch_offset = self.fetch_offset
        self._is_drained = False

    def drain(self) -> None:
        """Drop what is left."""
        self._is_drained = True
        self._ready.clear()

    def take(self, count: int) -> list[Item]:
        """Return at most so many items. Never raises because of what the buffer holds."""
        taken: list[Item] = []
        while len(taken) < count:
            if self._ready:
                item = self._ready.popleft()
                taken.append(item)
                self.next_fetch_offset = item.offset + 1 if self._ready else self._behind
            elif not self._read_batch():
                self.drain()
                break
        return taken

    @property
    def is_stuck(self) -> bool:
        """Whether nothing was made of this answer: asking again for the same offset would give the same."""
        return self._is_drained and self.next_fetch_offset == self.fetch_offset

    def _read_batch(self) -> bool:
        """Read the next batch of the buffer; return False at its end, and where nothing can be read any further."""
        if self._at >= len(self._buffer):
            return False
        try:
            batch = cut(self._buffer, self._at)
        except BatchError as error:
            if (
                self.next_fetch_offset == self.fetch_offset
            ):  # behind others this may only be cut off: it is asked for
                self.obstacle = self._set_aside(
                    self.fetch_offset, self.fetch_offset, error, self._buffer[self._at :]
                )
            return False
        self._at += len(batch.raw)
        try:
            records = decode(batch)
            self._check_place(batch)
        except BatchError as error:
            return self._skip(batch, error)
        self._accept(batch, records)
        return True

    def _check_place(self, batch: Batch) -> None:
        if batch.base_offset < 0 or (0 <= self._end <= batch.last_offset):
            raise BatchError(
                Fault.OFFSETS,
                f"it claims the offsets {batch.base_offset} to {batch.last_offset}, and the partition ends at "
                f"{self._end}",
            )

    def _accept(self, batch: Batch, records: list[BatchRecord]) -> None:
        if batch.last_offset < self.next_fetch_offset:
            return  # a broker may begin its answer earlier than asked
        if 0 <= batch.leader_epoch <= self._newest_epoch:
            self.leader_epoch = batch.leader_epoch
        while self._waiting and self._waiting[0].first_offset <= batch.last_offset:
            self._aborting.add(self._waiting.popleft().producer_id)
        if batch.is_control and is_abort(records):
            self._aborting.discard(batch.producer_id)
        is_left_out = batch.is_control or (
            batch.is_transactional and batch.producer_id in self._aborting
        )
        wanted = (
            [] if is_left_out else [one for one in records if one.offset >= self.next_fetch_offset]
        )
        self._ready.extend(self._convert(one, batch) for one in wanted)
        self._behind = batch.last_offset + 1
        if not self._ready:
            self.next_fetch_offset = self._behind

    def _convert(self, record: BatchRecord, batch: Batch) -> ConsumerRecord:
        return ConsumerRecord(
            topic=self.topic_partition.topic,
            partition=self.topic_partition.partition,
            leader_epoch=batch.leader_epoch,
            offset=record.offset,
            timestamp=record.timestamp,
            timestamp_type=0,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            checksum=None,
            serialized_key_size=-1 if record.key is None else len(record.key),
            serialized_value_size=-1 if record.value is None else len(record.value),
            serialized_header_size=-1,
        )

    def _skip(self, batch: Batch, error: BatchError) -> bool:
        """Set a batch aside whose bytes are complete; return False if it is not known what comes behind it."""
        behind = self._find_end(batch)
        first = max(self.next_fetch_offset, batch.base_offset if batch.base_offset < behind else 0)
        if not behind:
            if self.next_fetch_offset == self.fetch_offset:
                self.obstacle = self._set_aside(
                    self.fetch_offset, self.fetch_offset, error, batch.raw
                )
            return False
        if behind <= self.next_fetch_offset:
            return True  # it lies wholly before what was asked for
        self._ready.append(self._set_aside(first, behind - 1, error, batch.raw))
        self._behind = behind
        if (
            self._waiting or self._aborting
        ):  # it may have ended a transaction: ask anew for what comes behind it
            self._at = len(self._buffer)
        return True

    def _find_end(self, batch: Batch) -> int:
        """Return the offset behind a batch that cannot be decoded, or 0 if nothing tells it.

        Its own header is believed if the checksum is right, or if it ends where the partition does.
        Else the next batch's header tells.
        """
        claimed = batch.claimed_end
        is_possible = (
            batch.base_offset >= 0 and claimed > self.next_fetch_offset and self._is_inside(claimed)
        )
        if batch.is_intact and is_possible:
            return claimed
        following = self._peek()
        if (
            following is not None
            and self.next_fetch_offset < following
            and self._is_inside(following)
        ):
            return following
        return claimed if is_possible and claimed == self._end else 0

    def _is_inside(self, offset: int) -> bool:
        return self._end < 0 or offset <= self._end

    def _peek(self) -> int | None:
        """Return the base offset of the next batch if that is in order."""
        if len(self._buffer) - self._at < SHORTEST_BYTES:
            return None
        try:
            batch = cut(self._buffer, self._at)
        except BatchError:
            return None
        if batch.magic == 2 and batch.is_intact:
            return batch.base_offset
        return None

    def _set_aside(self, first: int, last: int, error: BatchError, raw: bytes) -> UndecodableBatch:
        topic, partition = self.topic_partition
        return UndecodableBatch(topic, partition, first, last, error.fault, str(error), raw)
