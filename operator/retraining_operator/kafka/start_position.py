"""Decides where reading of a partition starts, from the committed offset and the topic's identity.

The metadata of every commit names the topic that it was made for: the ids of cluster and topic, and
how many partitions the topic had when the group started. It distinguishes an offset that somebody
set, such as a tool that moves a topic to another cluster, from one that remains of a deleted topic.
Does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class StartPosition(Enum):
    """Start positions that have no number yet."""

    BEGINNING = "beginning"
    END = "end"
    IN_DOUBT = "in doubt"
    """The committed offset may belong to an earlier topic. Timestamps of earlier records decide."""


@dataclass(frozen=True)
class TopicIdentity:
    """A topic and its cluster.

    Args:
        cluster_id: Kafka's id of the cluster, or empty if Kafka has none.
        topic_id: Kafka's id of the topic, or empty if Kafka has none.
    """

    cluster_id: str
    topic_id: str


@dataclass(frozen=True)
class CommitMetadata:
    """The metadata that the operator adds to a commit.

    Args:
        identity: The topic that the commit was made for.
        partitions_at_start: How many partitions the topic had when the group started. Partitions
            that were added later are read from their beginning.
    """

    identity: TopicIdentity
    partitions_at_start: int

    def __str__(self) -> str:
        return f"{self.identity.cluster_id}/{self.identity.topic_id}/{self.partitions_at_start}"


@dataclass(frozen=True)
class CommittedOffset:
    """A committed offset of the group.

    Args:
        offset: The offset.
        metadata: Its metadata, or None if the operator has not committed it.
    """

    offset: int
    metadata: CommitMetadata | None


@dataclass(frozen=True)
class FormerPartition:
    """What is known of a partition of an earlier topic of the same name.

    Args:
        next_offsets: Offsets that were committed for it last.
        latest_ms: The latest timestamp of its handled records, in milliseconds since 1970 (UTC).
    """

    next_offsets: frozenset[int]
    latest_ms: int


def parse_metadata(metadata: str | None) -> CommitMetadata | None:
    """Parse the metadata of a commit. Return None if the operator has not written it."""
    parts = (metadata or "").split("/")
    if len(parts) != 3 or not parts[2].isdecimal():
        return None
    return CommitMetadata(TopicIdentity(parts[0], parts[1]), int(parts[2]))


def resolve_committed(
    commit: CommittedOffset, identity: TopicIdentity, former: FormerPartition | None
) -> int | StartPosition:
    """Decide whether reading starts at a committed offset.

    Args:
        commit: The offset that Kafka has for the group.
        identity: The topic as it is now.
        former: What is known of an earlier topic, or None if the topic is the one that was read
            before.

    Returns:
        The offset, or IN_DOUBT if it may be the group's own commit for the earlier topic.
    """
    if former is None:
        return commit.offset
    metadata = commit.metadata
    if metadata is not None and metadata.identity == identity:
        return commit.offset
    if (
        metadata is not None
        and identity.cluster_id
        and metadata.identity.cluster_id not in {"", identity.cluster_id}
    ):
        # Committed in another cluster: the topic was moved together with its offsets.
        return commit.offset
    if metadata is not None or commit.offset in former.next_offsets:
        return StartPosition.IN_DOUBT
    return commit.offset


def resolve_new(
    number: int, *, at_end: bool, is_known: bool, partitions_at_start: int | None
) -> StartPosition:
    """Decide where a partition without a committed offset starts.

    Args:
        number: The partition's number.
        at_end: Whether the configured start position is `latest`.
        is_known: Whether records of this partition were handled before.
        partitions_at_start: How many partitions the topic had when the group started, or None if
            the group starts now.

    Returns:
        BEGINNING or END.
    """
    if not at_end or is_known:
        return StartPosition.BEGINNING
    if partitions_at_start is not None and number >= partitions_at_start:
        return StartPosition.BEGINNING  # added after the group started: none of it was read
    return StartPosition.END


def resolve_doubt(commit_offset: int, first_later_offset: int | None) -> int | StartPosition:
    """Decide about a committed offset that may belong to an earlier topic.

    Args:
        commit_offset: The offset.
        first_later_offset: The first record of the topic that is later than all handled records, or
            None if there is none.

    Returns:
        The offset if all records before it are as old as the handled ones (the topic was moved),
        else BEGINNING (the topic was deleted and created again).
    """
    if first_later_offset is not None and first_later_offset < commit_offset:
        return StartPosition.BEGINNING
    return commit_offset
