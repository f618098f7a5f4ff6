"""A dead letter is the malformed record with the reason and its position in headers."""

from typing import Any, NamedTuple

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from retraining_operator.kafka.dead_letter import build_dead_letter
from retraining_operator.kafka.dead_letters import send_letter

ERROR = ("not_json", "its value is not JSON: Ünfug")


class MalformedRecord(NamedTuple):
    key: bytes | None = b"\xffkey"
    value: bytes | None = b"\x00drift!"
    headers: tuple[tuple[str, bytes], ...] = (("traceparent", b"00-1"),)
    topic: str = "drift"
    partition: int = 3
    offset: int = 42
    timestamp: int = 1_750_000_000_123


class Future:
    def get(self, timeout: float) -> None:
        """Is acknowledged at once."""


class LimitedTopic:
    """Accepts records up to a size."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: list[dict[str, Any]] = []

    def send(self, _: str, **record: Any) -> Future:
        size = len(record["key"] or b"") + len(record["value"] or b"")
        if size + sum(len(name) + len(value) for name, value in record["headers"]) > self.limit:
            raise MessageSizeTooLargeError
        self.taken.append(record)
        return Future()


def test_letter_is_the_record_with_reason_and_origin() -> None:
    letter = build_dead_letter(MalformedRecord(), *ERROR)
    assert (letter.key, letter.value) == (b"\xffkey", b"\x00drift!")
    assert dict(letter.headers) == {
        "traceparent": b"00-1",
        "retraining-reason": b"not_json",
        "retraining-message": "its value is not JSON: Ünfug".encode(),
        "retraining-topic": b"drift",
        "retraining-partition": b"3",
        "retraining-offset": b"42",
        "retraining-timestamp": b"1750000000123",
    }


def test_value_that_is_too_large_is_omitted_and_a_header_says_so() -> None:
    topic = LimitedTopic(1000)
    send_letter(topic, "dead", build_dead_letter(MalformedRecord(value=b"x" * 2000), *ERROR))
    [taken] = topic.taken
    assert (taken["key"], taken["value"]) == (b"\xffkey", None)
    assert b"too large" in dict(taken["headers"])["retraining-value"]
    assert dict(taken["headers"])["retraining-offset"] == b"42"


def test_sender_s_key_and_headers_are_omitted_last() -> None:
    topic = LimitedTopic(1000)
    send_letter(
        topic,
        "dead",
        build_dead_letter(
            MalformedRecord(key=b"k" * 2000, headers=(("much", b"x" * 2000),)), *ERROR
        ),
    )
    [taken] = topic.taken
    assert taken["key"] is None
    assert "much" not in dict(taken["headers"])
    assert dict(taken["headers"])["retraining-reason"] == b"not_json"


def test_topic_that_refuses_every_letter_is_an_error() -> None:
    with pytest.raises(MessageSizeTooLargeError):
        send_letter(LimitedTopic(10), "dead", build_dead_letter(MalformedRecord(), *ERROR))


def test_letter_that_is_not_acknowledged_is_an_error() -> None:
    class Away(LimitedTopic):
        def send(self, _: str, **__: Any) -> Future:
            raise KafkaTimeoutError

    with pytest.raises(KafkaTimeoutError):
        send_letter(Away(1000), "dead", build_dead_letter(MalformedRecord(), *ERROR))


@pytest.mark.parametrize("key", [None, b"key"])
def test_record_without_value_can_be_sent(key: bytes | None) -> None:
    letter = build_dead_letter(MalformedRecord(key=key, value=None), *ERROR)
    assert letter.key is not None or letter.value is not None
