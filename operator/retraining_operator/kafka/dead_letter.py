"""One dead letter: a malformed record with the reason and its position in headers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from retraining_operator.contract import to_line
from retraining_operator.kafka.batches.item import Item, UndecodableBatch, get_value_size

MESSAGE_LIMIT_CHARACTERS = 1000
VALUE_LIMIT_BYTES = 1_048_576
"""A topic accepts records of a megabyte by default. A longer value is left out from the start."""
VALUE_OMITTED = ("retraining-value", b"omitted: too large for the dead-letter topic")


@dataclass(frozen=True)
class DeadLetter:
    """A record for the dead-letter topic.

    Args:
        key: The key of the malformed record.
        value: The value of the malformed record, or the raw bytes of a batch.
        headers: The sender's headers, followed by the operator's.
        own_headers: How many of the headers, counted from the end, are the operator's.
    """

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    own_headers: int = 0

    @property
    def size_bytes(self) -> int:
        """About how many bytes of memory the letter takes."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers

    def without_value(self) -> DeadLetter:
        """Return the letter without its value and with a header that says so.

        If the record has no key, the value is empty instead of null, because kafka-python accepts
        no record of two nulls.
        """
        value = b"" if self.key is None else None
        return replace(
            self,
            value=value,
            headers=(*self.headers, VALUE_OMITTED),
            own_headers=self.own_headers + 1,
        )

    def without_content(self) -> DeadLetter:
        """Return the letter without value, key and the sender's headers."""
        own = self.headers[len(self.headers) - self.own_headers :]
        return DeadLetter(None, b"", (*own, VALUE_OMITTED), self.own_headers + 1)


def build_dead_letter(record: Item, kind: str, message: str) -> DeadLetter:
    """Build the dead letter of a malformed record or of an undecodable batch.

    Args:
        record: The record. Of a batch, the raw bytes are the value.
        kind: The kind of malformed record, for the header `retraining-reason`.
        message: What is wrong, for the header `retraining-message`; cut to 1,000 characters.

    Returns:
        The letter.
    """
    fields = {
        "reason": kind,
        "message": to_line(message, MESSAGE_LIMIT_CHARACTERS),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
    }
    if isinstance(record, UndecodableBatch):
        fields |= {
            "fault": record.fault,
            "first-offset": record.first_offset,
            "last-offset": record.offset,
        }
    headers = tuple(
        (f"retraining-{name}", str(text).encode(errors="replace")) for name, text in fields.items()
    )
    # kafka-python accepts no record of two nulls
    value = b"" if record.key is None and record.value is None else record.value
    letter = DeadLetter(record.key, value, (*record.headers, *headers), len(headers))
    is_whole = get_value_size(record) <= min(VALUE_LIMIT_BYTES, len(record.value or b""))
    return letter if is_whole else letter.without_value()
