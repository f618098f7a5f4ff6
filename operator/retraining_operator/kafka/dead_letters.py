"""Malformed records go to the dead-letter topic as they came, with the reason and the origin in headers.

While that topic cannot take them they stay open: a few are kept and tried again, the records behind
    them go on, and neither the ledger nor the committed offset passes them. A letter may arrive
    twice, never not at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, for_code

from retraining_operator.api.trigger import MalformedRecordError
from retraining_operator.intake.backpressure import Backpressure, BackpressureReason
from retraining_operator.intake.handled_offsets import Places
from retraining_operator.kafka.client import MissingCredentialError, client_options
from retraining_operator.kafka.partition_reader import Item, UndecodableBatch
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

OPEN_LETTERS = 100
"""Each may hold a megabyte."""
PATIENCE_SECONDS = 2.0
"""How long a batch waits for its letters; what takes longer is left open."""
SEND_SECONDS = 5.0
PAUSE_SECONDS = 5.0
LOOK_SECONDS = 0.5
MESSAGE_CHARACTERS = 1000
LEFT_OUT = ("retraining-value", b"left out: too large for the dead-letter topic")
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


@dataclass(frozen=True)
class DeadLetter:
    """A record for the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    own_headers: int = 0
    """How many of the headers, from the last one on, are the operator's."""

    def without_value(self) -> DeadLetter:
        """Leave out the value and say so; a record without key needs one, so it is empty then."""
        value = b"" if self.key is None else None
        return replace(
            self, value=value, headers=(*self.headers, LEFT_OUT), own_headers=self.own_headers + 1
        )

    def bare(self) -> DeadLetter:
        """Leave out the key and the sender's own headers too."""
        own = self.headers[len(self.headers) - self.own_headers :]
        return DeadLetter(None, b"", (*own, LEFT_OUT), self.own_headers + 1)


def write_letter(record: Item, error: MalformedRecordError) -> DeadLetter:
    """Write the letter of one malformed record, or of a batch that cannot be decoded with its raw bytes. Pure."""
    said = {
        "reason": error.kind,
        "message": str(error)[:MESSAGE_CHARACTERS],
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
    }
    if isinstance(record, UndecodableBatch):
        said |= {
            "fault": record.fault,
            "first-offset": record.first_offset,
            "last-offset": record.offset,
        }
    headers = tuple(
        (f"retraining-{name}", str(text).encode(errors="replace")) for name, text in said.items()
    )
    value = (
        b"" if record.key is None and record.value is None else record.value
    )  # kafka-python refuses two nulls
    return DeadLetter(record.key, value, (*record.headers, *headers), len(headers))


class DeadLetters:
    """Sends letters and keeps those that are not acknowledged yet; without a topic there is nothing to send."""

    def __init__(self, kafka: Kafka, holds: Backpressure) -> None:
        self._kafka = kafka
        self._holds = holds
        self._open: dict[tuple[int, int], DeadLetter] = {}
        self._put_aside: set[tuple[int, int]] = set()
        self._sending: asyncio.Task[None] | None = None
        self._again_at = 0.0
        self._in_trouble = False

    def count_open(self) -> int:
        """Return how many malformed records the topic has not taken yet."""
        return len(self._open)

    def collect(self) -> tuple[Places, Places]:
        """Give the places of the records that are open, and of those put aside since the last call."""
        put_aside, self._put_aside = frozenset(self._put_aside), set()
        return frozenset(self._open), put_aside

    async def put(self, record: Item, error: MalformedRecordError) -> None:
        """Take a malformed record; waits only where too many are open already."""
        if not self._kafka.dead_letter_topic:
            return
        if len(self._open) >= OPEN_LETTERS:
            await self.settle()
        if len(self._open) >= OPEN_LETTERS:
            why = f"The dead-letter topic {self._kafka.dead_letter_topic} is away, and {OPEN_LETTERS} records wait."
            with self._holds.because(BackpressureReason.DEAD_LETTERS, why):
                while len(self._open) >= OPEN_LETTERS:
                    await asyncio.sleep(LOOK_SECONDS)
                    await self.settle()
        self._open[record.partition, record.offset] = write_letter(record, error)

    async def settle(self) -> None:
        """Send what is open and wait a while for it; where the topic is away, not soon again and without waiting."""
        if self._open and self._sending is None and time.monotonic() >= self._again_at:
            self._sending = asyncio.create_task(self._send())
        if self._sending:
            await asyncio.wait([self._sending], timeout=0 if self._in_trouble else PATIENCE_SECONDS)
        if self._sending and self._sending.done():
            sending, self._sending = self._sending, None
            sending.result()  # an error that nobody foresaw ends the process

    async def _send(self) -> None:
        letters = dict(self._open)
        trouble, sent = await asyncio.to_thread(send_all, self._kafka, list(letters.values()))
        for place in list(letters)[:sent]:
            del self._open[place]
            self._put_aside.add(place)
        self._again_at = time.monotonic() + PAUSE_SECONDS if trouble else 0.0
        self._tell(trouble)

    def _tell(self, trouble: str | None) -> None:
        topic = self._kafka.dead_letter_topic
        if trouble and not self._in_trouble:
            logger.error(
                "The dead-letter topic %s (kafka.deadLetterTopic) takes no records: %s. %d malformed "
                "records wait for it uncommitted, the records behind them go on.",
                topic,
                trouble,
                len(self._open),
            )
        elif self._in_trouble and not trouble:
            logger.info("The dead-letter topic %s has taken every malformed record.", topic)
        self._in_trouble = bool(trouble)


def send_all(kafka: Kafka, letters: Sequence[DeadLetter]) -> tuple[str | None, int]:
    """Send letters in order, in a thread; give what went wrong, and how many from the first on are acknowledged."""
    try:
        insist(kafka)
        producer = KafkaProducer(
            **client_options(kafka),
            acks="all",
            metrics_enabled=False,
            max_block_ms=int(SEND_SECONDS * 1000),
            request_timeout_ms=int(SEND_SECONDS * 1000),
            delivery_timeout_ms=int(SEND_SECONDS * 2000),
        )
    except (KafkaError, OSError, MissingCredentialError) as error:
        return describe(error), 0
    sent = 0
    try:
        for letter in letters:
            deliver(producer, kafka.dead_letter_topic, letter)
            sent += 1
    except KafkaError as error:
        return describe(error), sent
    finally:
        producer.close(timeout=SEND_SECONDS)
    return None, sent


def insist(kafka: Kafka) -> None:
    """Insist on a topic that is there: a producer would have Kafka make one by a misspelt name.

    Raises:
        KafkaError: where it is not.
    """
    with closing(KafkaAdminClient(**client_options(kafka))) as admin:
        [found] = admin.describe_topics([kafka.dead_letter_topic])
    if found["error_code"]:
        raise for_code(found["error_code"])


def deliver(producer: Any, topic: str, letter: DeadLetter) -> None:
    """Send one letter and wait for its acknowledgement; one that is too large goes with less.

    Raises:
        KafkaError: where the topic has not acknowledged it.
    """
    for form in (letter, letter.without_value(), letter.bare()):
        try:
            future = producer.send(
                topic, key=form.key, value=form.value, headers=list(form.headers)
            )
            future.get(timeout=SEND_SECONDS * 2)
        except TOO_LARGE:
            continue
        else:
            return
    raise MessageSizeTooLargeError("not even the headers alone fit")


def describe(error: Exception) -> str:
    """Say what went wrong in the library's words; some of its errors have none."""
    return f"{type(error).__name__} {error}".strip()
