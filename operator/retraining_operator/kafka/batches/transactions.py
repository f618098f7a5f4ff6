"""Aborted transactions: which batches of a partition a `read_committed` reader may not see."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from retraining_operator.kafka.batches.record_batch import Batch, ReadRecords

CONTROL_KEY = struct.Struct(">hh")
"""The key of a control record: version and type."""
ABORT = 0


@dataclass(frozen=True)
class AbortedTransaction:
    """A transaction whose records no reader may see.

    Args:
        producer_id: Id of the producer.
        first_offset: Offset of the transaction's first record.
    """

    producer_id: int
    first_offset: int


class AbortedTransactions:
    """Tracks which producers are in an aborted transaction while batches are read in order.

    Args:
        aborted: The aborted transactions that the broker has listed for this answer.
    """

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        self._upcoming = deque(sorted(aborted, key=lambda transaction: transaction.first_offset))
        self._producers: set[int] = set()

    @property
    def has_any(self) -> bool:
        """Whether an aborted transaction is open or still ahead."""
        return bool(self._upcoming or self._producers)

    def check_hidden(self, batch: Batch, records: ReadRecords) -> bool:
        """Advance to a batch.

        Args:
            batch: The next batch of the partition.
            records: Reads its records.

        Returns:
            Whether readers may not see its records.
        """
        while self._upcoming and self._upcoming[0].first_offset <= batch.last_offset:
            self._producers.add(self._upcoming.popleft().producer_id)
        if batch.is_control and is_abort(records):
            self._producers.discard(batch.producer_id)
        return batch.is_control or (batch.is_transactional and batch.producer_id in self._producers)


def is_abort(records: ReadRecords) -> bool:
    """Return whether the records of a control batch abort a transaction."""
    first = next(records(), None)
    key = first.key if first else None
    return (
        key is not None
        and len(key) >= CONTROL_KEY.size
        and CONTROL_KEY.unpack_from(key)[1] == ABORT
    )
