"""Where reading of a partition begins: decides from the committed offset and from what is known of the topic. Pure.

Every commit says in its metadata which topic it was made for: the cluster's id, the topic's id, and
    how many partitions the topic had when the group began. That tells a committed offset that
    somebody set, such as a tool that moves a topic to another cluster, from one that is left over
    of a topic that was deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Start(Enum):
    """Places that have no number yet."""

    BEGINNING = "beginning"
    END = "end"
    IN_DOUBT = "in doubt"
    """The committed offset may belong to an earlier topic: the timestamps of the records before it tell."""


@dataclass(frozen=True)
class TopicIdentity:
    """A topic and the cluster that it is in; empty if Kafka gives no ids."""

    cluster_id: str
    topic_id: str


@dataclass(frozen=True)
class Mark:
    """What a commit's metadata says."""

    identity: TopicIdentity
    partitions_at_start: int
    """How many partitions the topic had when the group began: those that came later are read from their beginning."""

    def __str__(self) -> str:
        return f"{self.identity.cluster_id}/{self.identity.topic_id}/{self.partitions_at_start}"


@dataclass(frozen=True)
class Commit:
    """A committed offset."""

    offset: int
    mark: Mark | None
    """None if somebody else has set the offset, or an older version."""


@dataclass(frozen=True)
class Former:
    """What is known of a partition of an earlier topic of the same name."""

    next_offsets: frozenset[int]
    """Offsets that were committed for it last."""
    latest_ms: int
    """The latest timestamp of all its records that were handled."""


def read_mark(metadata: str | None) -> Mark | None:
    """Parse a commit's metadata; return None if it is not the operator's."""
    parts = (metadata or "").split("/")
    if len(parts) != 3 or not parts[2].isdecimal():
        return None
    return Mark(TopicIdentity(parts[0], parts[1]), int(parts[2]))


def place_committed(commit: Commit, identity: TopicIdentity, former: Former | None) -> int | Start:
    """Decide what a committed offset is worth.

    Args:
        commit: What Kafka has for the group.
        identity: The topic as it is now.
        former: What is known of an earlier topic; None if the topic is the one that was read
            before.

    Returns:
        The offset, or IN_DOUBT if it looks like the group's own commit for the earlier topic.
    """
    if former is None:
        return commit.offset
    mark = commit.mark
    if mark is not None and mark.identity == identity:
        return commit.offset
    if (
        mark is not None
        and identity.cluster_id
        and mark.identity.cluster_id not in {"", identity.cluster_id}
    ):
        return (
            commit.offset
        )  # made in another cluster and brought here: the topic was moved with its offsets
    if mark is not None or commit.offset in former.next_offsets:
        return Start.IN_DOUBT
    return commit.offset


def place_new(
    number: int, *, at_end: bool, is_known: bool, partitions_at_start: int | None
) -> Start:
    """Decide where a partition without a committed offset begins.

    Args:
        number: The partition's number.
        at_end: Whether the settings say `latest`.
        is_known: Whether records of this partition were handled before.
        partitions_at_start: How many partitions the topic had when the group began; None if no
            commit says so, which means that the group begins now.
    """
    if not at_end or is_known:
        return Start.BEGINNING
    if partitions_at_start is not None and number >= partitions_at_start:
        return Start.BEGINNING  # nobody could have read a record of it before the group began
    return Start.END


def settle_doubt(commit_offset: int, first_later_offset: int | None) -> int | Start:
    """Decide about a committed offset that may be left over.

    Args:
        commit_offset: The offset.
        first_later_offset: The first record of the topic that is later than everything handled
            before; None if there is none.

    Returns:
        The offset if all records before it are as old as those that were handled (the topic was
        moved); else the beginning (the topic was deleted and created again).
    """
    if first_later_offset is not None and first_later_offset < commit_offset:
        return Start.BEGINNING
    return commit_offset
