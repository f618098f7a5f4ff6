"""Vocabulary of triggers: where a record is, what it asks for, and how it can be malformed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

RECORD_LIMIT_BYTES = 65_536
"""A trigger is small. It is stored in the RetrainRequest, and etcd accepts 1.5 MB per object."""
REASON_LIMIT_CHARACTERS = 1000
DEFAULT_REASON = "unknown"
LAST_TIMESTAMP_MS = 253_402_300_799_999
"""The end of the year 9999, the last that Kubernetes and Python can write.

A producer may set any timestamp.
"""


class Malformed(StrEnum):
    """The kinds of malformed records. Each is a label value of `retraining_triggers_total`."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    BAD_REASON = "bad_reason"
    REASON_TOO_LONG = "reason_too_long"
    REFUSED = "refused"
    UNDECODABLE = "undecodable"


class MalformedRecordError(Exception):
    """A record is not a trigger.

    Args:
        kind: What is wrong with it.
        message: The same as a sentence without its subject and full stop.
    """

    def __init__(self, kind: Malformed, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def format_timestamp(milliseconds: int) -> str:
    """Format a time as Kubernetes does, in UTC and with milliseconds.

    Args:
        milliseconds: Since 1970 (UTC). A time that cannot be written becomes the nearest that can.

    Returns:
        The text.
    """
    milliseconds = min(max(milliseconds, 0), LAST_TIMESTAMP_MS)
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> int:
    """Parse a time that `format_timestamp` has written. Returns milliseconds since 1970 (UTC).

    Raises:
        ValueError: If it is another text, even one that means the same time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    milliseconds = (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    if format_timestamp(milliseconds) != text:
        raise ValueError(f"{text} is not a time with milliseconds in UTC")
    return milliseconds


@dataclass(frozen=True)
class KafkaPosition:
    """The position of a record in Kafka.

    Args:
        topic: The topic.
        partition: The partition.
        offset: The offset.
        timestamp_ms: The record's own timestamp, in milliseconds since 1970 (UTC).
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def timestamp(self) -> str:
        """The timestamp in UTC as Kubernetes formats times, with milliseconds."""
        return format_timestamp(self.timestamp_ms)


@dataclass(frozen=True)
class Trigger:
    """What a valid record asks for.

    Args:
        position: Where the record is.
        reason: Why a retraining is asked for, at most 1,000 characters.
        record: The record's JSON as it was sent, without a byte-order mark or the frame of a
            schema registry.
    """

    position: KafkaPosition
    reason: str
    record: str
