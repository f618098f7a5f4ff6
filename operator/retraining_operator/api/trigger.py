"""A Kafka record's bytes become a trigger, or one sentence that says why not.

Driven by the consumer; pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from retraining_operator.intake.value_format import payloads, recognize

RECORD_LIMIT_BYTES = 65_536
"""A trigger is a short note; the record is kept in the RetrainRequest, and etcd takes 1.5 MB for an object in all."""
REASON_LIMIT_CHARACTERS = 1000
DEFAULT_REASON = "unknown"
LAST_TIMESTAMP_MS = 253_402_300_799_999
"""The end of the year 9999, the last that Kubernetes and Python can write; a producer may set any timestamp."""


class Malformed(StrEnum):
    """The kinds of records that are no triggers; each is a label's value of `retraining_triggers_total`."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    BAD_REASON = "bad_reason"
    REASON_TOO_LONG = "reason_too_long"
    REFUSED = "refused"
    UNDECODABLE = "undecodable"


class MalformedRecordError(Exception):
    """A record that is no trigger, with its kind and a sentence."""

    def __init__(self, kind: Malformed, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class KafkaPosition:
    """Where a record stands: topic, partition, offset and its own timestamp in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def timestamp(self) -> str:
        """The timestamp as Kubernetes writes times, with its milliseconds."""
        milliseconds = min(max(self.timestamp_ms, 0), LAST_TIMESTAMP_MS)
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Trigger:
    """A record that asks for a retrain."""

    origin: KafkaPosition
    reason: str
    record: str
    """The record's JSON as it was sent, without a byte-order mark or a schema registry's frame."""


def read_trigger(origin: KafkaPosition, value: bytes | None) -> Trigger:
    """Read a record's value.

    Fields other than `reason` are the sender's own and are kept with the record.

    Raises:
        MalformedRecordError: with the kind and a sentence.
    """
    if value is None or not value.strip():
        raise MalformedRecordError(
            Malformed.EMPTY,
            'its value is empty; a trigger is a JSON object such as {"reason": "drift"}',
        )
    if len(value) > RECORD_LIMIT_BYTES:
        raise MalformedRecordError(
            Malformed.TOO_LARGE,
            f"its value has {len(value):,} bytes, and a trigger may have {RECORD_LIMIT_BYTES:,}",
        )
    record, fields = read_json(value)
    if not isinstance(fields, dict):
        what = (
            "a string that holds JSON, which was encoded twice"
            if is_encoded(fields)
            else type(fields).__name__
        )
        raise MalformedRecordError(
            Malformed.NOT_OBJECT, f"its value is JSON but not an object: {what}"
        )
    return Trigger(origin, read_reason(fields), record)


def read_json(value: bytes) -> tuple[str, object]:
    """Parse the JSON of a value, behind a byte-order mark or a schema registry's frame too.

    Args:
        value: The record's value as it was sent, not empty.

    Returns:
        The JSON as text, and what it says.

    Raises:
        MalformedRecordError: If it is no JSON, with what it looks like instead.
    """
    problem: Exception | None = None
    for payload in payloads(value):
        try:
            text = payload.decode()
            return text, json.loads(text)
        except (ValueError, RecursionError) as error:
            problem = problem or error
    looks_like = recognize(value)
    what = f"it looks like {looks_like}" if looks_like else str(problem)
    raise MalformedRecordError(Malformed.NOT_JSON, f"its value is not JSON: {what}")


def is_encoded(value: object) -> bool:
    """Return whether a value is a string that holds a JSON object."""
    return isinstance(value, str) and value.lstrip().startswith("{")


def read_reason(fields: dict[str, object]) -> str:
    """Read the reason, `unknown` where there is none.

    Raises:
        MalformedRecordError: where it is no text, too long, or holds what neither Kubernetes nor
            PostgreSQL can store.
    """
    reason = fields.get("reason")
    if reason is None or reason == "":
        return DEFAULT_REASON
    if not isinstance(reason, str):
        raise MalformedRecordError(
            Malformed.BAD_REASON, f"its reason is no text but {type(reason).__name__}"
        )
    if len(reason) > REASON_LIMIT_CHARACTERS:
        raise MalformedRecordError(
            Malformed.REASON_TOO_LONG,
            f"its reason has {len(reason):,} characters, and {REASON_LIMIT_CHARACTERS:,} are allowed",
        )
    if "\0" in reason or any("\ud800" <= character <= "\udfff" for character in reason):
        raise MalformedRecordError(
            Malformed.BAD_REASON,
            "its reason holds a NUL or half of a surrogate pair, which no database stores",
        )
    return reason
