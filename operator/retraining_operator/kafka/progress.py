"""What the handler of a batch of records reports back to the consumer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from retraining_operator.kafka.batches.item import Item
from retraining_operator.kafka.start_position import FormerPartition

PartitionOffsets: TypeAlias = frozenset[tuple[int, int]]
"""Pairs of partition and offset."""


@dataclass(frozen=True)
class PartitionProgress:
    """How far the partitions of a topic are handled after a batch.

    Args:
        first_open: By partition, the first offset that is not handled yet although later records
            are. Nothing is committed beyond it.
        former: Partitions of which records of an earlier topic of this name were handled.
        handled: Partitions of which records were handled before.
    """

    first_open: Mapping[int, int]
    former: Mapping[int, FormerPartition]
    handled: set[int]


HandleRecords: TypeAlias = Callable[[Sequence[Item], str | None], Awaitable[PartitionProgress]]
"""Handles records of the topic with the given id, which is None if it is uncertain."""
