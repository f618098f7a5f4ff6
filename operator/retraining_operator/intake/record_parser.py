"""Parses consumed records: their bytes become a trigger or a MalformedRecordError. Does no I/O."""

from __future__ import annotations

import json

from retraining_operator.api.trigger import (
    DEFAULT_REASON,
    REASON_LIMIT_CHARACTERS,
    RECORD_LIMIT_BYTES,
    KafkaPosition,
    Malformed,
    MalformedRecordError,
    Trigger,
)
from retraining_operator.intake.value_format import find_payloads, recognize_format
from retraining_operator.kafka.batches.item import Item, UndecodableBatch, get_value_size


def get_position(record: Item) -> KafkaPosition:
    """Return the position of a record; for an undecodable batch that of its last offset."""
    return KafkaPosition(record.topic, record.partition, record.offset, record.timestamp)


def format_position(record: Item) -> str:
    """Return the position of a record, or the range of offsets of a batch, for a log line."""
    return str(record) if isinstance(record, UndecodableBatch) else str(get_position(record))


def parse_record(record: Item) -> Trigger:
    """Parse the trigger that a record holds.

    Raises:
        MalformedRecordError: If the record is not a trigger or the batch cannot be decoded.
    """
    if isinstance(record, UndecodableBatch):
        raise MalformedRecordError(
            Malformed.UNDECODABLE, f"the batch cannot be decoded ({record.fault}): {record.message}"
        )
    size = get_value_size(record)
    if size > RECORD_LIMIT_BYTES:
        raise build_too_large_error(size)
    return parse_trigger(get_position(record), record.value)


def parse_trigger(position: KafkaPosition, value: bytes | None) -> Trigger:
    """Parse a record's value.

    Fields other than `reason` belong to the sender and are stored with the record.

    Args:
        position: Where the record is.
        value: The record's value as it was sent; None for a tombstone.

    Returns:
        The trigger.

    Raises:
        MalformedRecordError: If the value is not a JSON object, is larger than 64 KiB, or has an
            invalid reason.
    """
    if value is None or not value.strip():
        raise MalformedRecordError(
            Malformed.EMPTY,
            'its value is empty; a trigger is a JSON object such as {"reason": "drift"}',
        )
    if len(value) > RECORD_LIMIT_BYTES:
        raise build_too_large_error(len(value))
    record, fields = parse_json(value)
    if not isinstance(fields, dict):
        found = (
            "a string that contains JSON, which was encoded twice"
            if is_encoded_twice(fields)
            else type(fields).__name__
        )
        raise MalformedRecordError(
            Malformed.NOT_OBJECT, f"its value is JSON but not an object: {found}"
        )
    return Trigger(position, read_reason(fields), record)


def build_too_large_error(size: int) -> MalformedRecordError:
    """Build the error for a value of so many bytes."""
    return MalformedRecordError(
        Malformed.TOO_LARGE,
        f"its value has {size:,} bytes, more than the limit of {RECORD_LIMIT_BYTES:,}",
    )


def parse_json(value: bytes) -> tuple[str, object]:
    """Parse the JSON of a value, also behind a byte-order mark or the frame of a schema registry.

    Args:
        value: The record's value as it was sent, not empty.

    Returns:
        The JSON as text, and the parsed value.

    Raises:
        MalformedRecordError: If the value is not JSON. The message names the format it looks like.
    """
    problem: Exception | None = None
    for payload in find_payloads(value):
        try:
            text = payload.decode()
            return text, json.loads(text)
        except (ValueError, RecursionError) as error:
            problem = problem or error
    found = recognize_format(value)
    detail = f"it looks like {found}" if found else str(problem)
    raise MalformedRecordError(Malformed.NOT_JSON, f"its value is not JSON: {detail}")


def is_encoded_twice(value: object) -> bool:
    """Return whether a value is a string that contains a JSON object."""
    return isinstance(value, str) and value.lstrip().startswith("{")


def read_reason(fields: dict[str, object]) -> str:
    """Read the reason of a trigger, `unknown` if it has none.

    Raises:
        MalformedRecordError: If the reason is not a string, is too long, or contains characters
            that neither Kubernetes nor PostgreSQL can store.
    """
    reason = fields.get("reason")
    if reason is None or reason == "":
        return DEFAULT_REASON
    if not isinstance(reason, str):
        raise MalformedRecordError(
            Malformed.BAD_REASON, f"its reason is not a string but {type(reason).__name__}"
        )
    if len(reason) > REASON_LIMIT_CHARACTERS:
        raise MalformedRecordError(
            Malformed.REASON_TOO_LONG,
            f"its reason has {len(reason):,} characters, more than the limit of "
            f"{REASON_LIMIT_CHARACTERS:,}",
        )
    if "\0" in reason or any("\ud800" <= character <= "\udfff" for character in reason):
        raise MalformedRecordError(
            Malformed.BAD_REASON,
            "its reason contains a NUL or an unpaired surrogate, which PostgreSQL cannot store",
        )
    return reason
