"""The handled offset of one partition, and its form as one line of a ConfigMap."""

from __future__ import annotations

import json
from dataclasses import dataclass

from retraining_operator.api.fields import Fields, parse_json, read_integer
from retraining_operator.api.trigger import KafkaPosition

UNKNOWN = -1
MISSING = -2
LATEST_FIELD = "latestTimestampMs"


@dataclass(frozen=True)
class HandledOffset:
    """What is known of one partition.

    Args:
        topic_id: Kafka's id of the topic, which changes if the topic is created again. Empty if
            Kafka has no ids.
        offset: The highest handled offset.
        latest_ms: The latest timestamp of all handled records, in milliseconds since 1970 (UTC). A
            later record at or below `offset` belongs to a new topic.
        open: Lower offsets that are not handled yet: malformed records that the dead-letter topic
            has not acknowledged.
    """

    topic_id: str
    offset: int = UNKNOWN
    latest_ms: int = UNKNOWN
    open: frozenset[int] = frozenset()

    def covers(self, topic_id: str, position: KafkaPosition) -> bool:
        """Return whether a record was handled before.

        Topic id, timestamp and offset must all agree, otherwise the record counts as new.

        Args:
            topic_id: Kafka's id of the record's topic.
            position: The record's position.

        Returns:
            True if it was handled.
        """
        return (
            topic_id == self.topic_id
            and position.timestamp_ms <= self.latest_ms
            and self.includes(position.offset)
        )

    def includes(self, offset: int) -> bool:
        """Return whether an offset of this topic was handled."""
        return offset <= self.offset and offset not in self.open

    def merge(self, other: HandledOffset | None) -> HandledOffset:
        """Return the union with another writer's entry: what either has handled is handled.

        An entry of another topic id is ignored.
        """
        if other is None or other.topic_id != self.topic_id:
            return self
        still_open = frozenset(
            offset
            for offset in self.open | other.open
            if not (self.includes(offset) or other.includes(offset))
        )
        return HandledOffset(
            self.topic_id,
            max(self.offset, other.offset),
            max(self.latest_ms, other.latest_ms),
            still_open,
        )

    def add(self, position: KafkaPosition) -> HandledOffset:
        """Return the entry with one more handled record."""
        return HandledOffset(
            self.topic_id,
            max(self.offset, position.offset),
            max(self.latest_ms, position.timestamp_ms),
            self.open - {position.offset},
        )


def format_entry(topic: str, partition: int, entry: HandledOffset) -> str:
    """Format an entry as one line of JSON.

    Args:
        topic: The topic.
        partition: The partition.
        entry: What is known of the partition.

    Returns:
        The line.
    """
    return json.dumps(
        {
            "topic": topic,
            "partition": partition,
            "topicId": entry.topic_id,
            "offset": entry.offset,
            LATEST_FIELD: entry.latest_ms,
            "open": sorted(entry.open),
        }
    )


def parse_entry(line: object) -> tuple[str, int, HandledOffset] | None:
    """Parse topic, partition and entry.

    Returns:
        The parts. None if a part is missing, has the wrong type, or is a number that Kafka cannot
        have: an offset that was written by hand must not make records count as handled.
    """
    fields = Fields.of(parse_json(line))
    topic_id, found = fields.values.get("topicId"), fields.values.get("open")
    numbers = [
        fields.integer(name, MISSING, UNKNOWN) for name in ("partition", "offset", LATEST_FIELD)
    ]
    still_open = [read_integer(offset) for offset in found] if isinstance(found, list) else [None]
    offsets = [offset for offset in still_open if offset is not None and offset >= 0]
    if MISSING in numbers or not isinstance(topic_id, str) or len(offsets) < len(still_open):
        return None
    partition, offset, latest_ms = numbers
    entry = HandledOffset(topic_id, offset, latest_ms, frozenset(offsets))
    return fields.text("topic"), partition, entry
