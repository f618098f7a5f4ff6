"""Reads what a broker has sent for one partition: records, and an item for each undecodable batch.

An item has the position and the range of offsets of its batch, so that it is handled like a record:
it is named, counted and sent as a dead letter, and reading continues after it. Does no I/O.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from kafka import TopicPartition

from retraining_operator.kafka.batches.decoder import decode_records
from retraining_operator.kafka.batches.item import (
    Item,
    UndecodableBatch,
    convert_record,
    measure_item,
)
from retraining_operator.kafka.batches.record_batch import (
    SHORTEST_BYTES,
    Batch,
    BatchError,
    Fault,
    ReadRecords,
    read_batch,
)
from retraining_operator.kafka.batches.transactions import AbortedTransaction, AbortedTransactions


class PartitionReader:
    """Reads one answer for one partition. Has the interface that kafka-python's fetcher expects.

    Args:
        partition: Which partition the answer is for.
        position: The offset that was requested.
        buffer: The record batches as they were sent.
        end: The offset after the last record of the partition (its high watermark), or -1 if
            unknown.
        aborted: Transactions whose records are omitted.
        newest_epoch: The newest leader epoch that the cluster metadata has. A later epoch in a
            batch is ignored.
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
        self.unreadable: UndecodableBatch | None = None
        """What is at the position if its end is unknown; `offset` is then the position itself."""
        self.budget_bytes = sys.maxsize
        """How many bytes of records may still be taken. The last record may exceed it."""
        self._buffer = buffer
        self._at = 0
        self._end = end
        self._newest_epoch = newest_epoch
        self._ready: deque[Item] = deque()
        self._pending: Iterator[Item] = iter(())
        """The rest of the batch, which is decoded while it is taken."""
        self._offset_after_ready = position
        self._transactions = AbortedTransactions(aborted)
        self._is_drained = False

    @classmethod
    def of_one(cls, item: UndecodableBatch) -> PartitionReader:
        """Build a reader that returns one item and continues after it."""
        reader = cls(TopicPartition(item.topic, item.partition), item.first_offset, b"")
        reader._ready.append(item)
        reader._offset_after_ready = item.offset + 1
        return reader

    def __bool__(self) -> bool:
        return not self._is_drained

    def put_back(self, item: Item) -> None:
        """Return the item that was taken last to the front."""
        self._ready.appendleft(item)
        self.next_fetch_offset = self.fetch_offset
        self._is_drained = False

    def drain(self) -> None:
        """Drop the remaining items."""
        self._is_drained = True
        self._ready.clear()
        self._pending = iter(())

    def take(self, count: int) -> list[Item]:
        """Return up to `count` items, fewer if they exceed the budget of bytes.

        Never raises because of the content of the buffer.
        """
        taken: list[Item] = []
        while len(taken) < count and self.budget_bytes > 0:
            self._look_ahead()
            if self._ready:
                item = self._ready.popleft()
                taken.append(item)
                self.budget_bytes -= measure_item(item)
                self._look_ahead()
                self.next_fetch_offset = (
                    item.offset + 1 if self._ready else self._offset_after_ready
                )
            elif not self._read_next_batch():
                self.drain()
                break
        return taken

    def _look_ahead(self) -> None:
        """Decode the next record of the batch, so that it is known whether there is one."""
        if not self._ready:
            self._ready.extend(islice(self._pending, 1))

    @property
    def is_stuck(self) -> bool:
        """Whether nothing was read from this answer: the same offset would be requested again."""
        return self._is_drained and self.next_fetch_offset == self.fetch_offset

    def _read_next_batch(self) -> bool:
        """Read the next batch of the buffer. Return False if nothing more can be read."""
        if self._at >= len(self._buffer):
            return False
        try:
            batch = read_batch(self._buffer, self._at)
        except BatchError as error:
            # After other batches it may only be cut off: then it is requested again.
            if self.next_fetch_offset == self.fetch_offset:
                self._set_unreadable(error, self._buffer[self._at :])
            return False
        self._at += len(batch.raw)
        try:
            records = decode_records(batch)
            self._check_offsets(batch)
        except BatchError as error:
            return self._skip(batch, error)
        self._add(batch, records)
        return True

    def _check_offsets(self, batch: Batch) -> None:
        if batch.base_offset < 0 or (0 <= self._end <= batch.last_offset):
            raise BatchError(
                Fault.OFFSETS,
                f"its header claims the offsets {batch.base_offset} to {batch.last_offset}, but "
                f"the partition ends at {self._end}",
            )

    def _add(self, batch: Batch, records: ReadRecords) -> None:
        if batch.last_offset < self.next_fetch_offset:
            return  # an answer may start before the requested offset
        if 0 <= batch.leader_epoch <= self._newest_epoch:
            self.leader_epoch = batch.leader_epoch
        if not self._transactions.check_hidden(batch, records):
            first = self.next_fetch_offset
            self._pending = (
                convert_record(record, batch, self.topic_partition)
                for record in records()
                if record.offset >= first
            )
            self._look_ahead()
        self._offset_after_ready = batch.last_offset + 1
        if not self._ready:
            self.next_fetch_offset = self._offset_after_ready

    def _skip(self, batch: Batch, error: BatchError) -> bool:
        """Add an item for a batch whose bytes are complete. Return False if its end is unknown."""
        end = self._find_end(batch)
        if not end:
            if self.next_fetch_offset == self.fetch_offset:
                self._set_unreadable(error, batch.raw)
            return False
        if end <= self.next_fetch_offset:
            return True  # all of it is before the requested offset
        first = self.next_fetch_offset
        if first < batch.base_offset < end:
            first = batch.base_offset
        self._ready.append(self._build_item(first, end - 1, error, batch.raw))
        self._offset_after_ready = end
        if self._transactions.has_any:
            # It may have ended a transaction: the offsets after it are requested again.
            self._at = len(self._buffer)
        return True

    def _find_end(self, batch: Batch) -> int:
        """Return the offset after a batch that cannot be decoded, or 0 if it is unknown.

        Its own header is trusted if the checksum is valid, or if it ends where the partition does.
        Otherwise the header of the next batch decides.
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
        """Return the base offset of the next batch if its checksum is valid."""
        if len(self._buffer) - self._at < SHORTEST_BYTES:
            return None
        try:
            batch = read_batch(self._buffer, self._at)
        except BatchError:
            return None
        if batch.magic == 2 and batch.is_intact:
            return batch.base_offset
        return None

    def _set_unreadable(self, error: BatchError, raw: bytes) -> None:
        self.unreadable = self._build_item(self.fetch_offset, self.fetch_offset, error, raw)

    def _build_item(self, first: int, last: int, error: BatchError, raw: bytes) -> UndecodableBatch:
        topic, partition = self.topic_partition
        return UndecodableBatch(topic, partition, first, last, error.fault, str(error), raw)
