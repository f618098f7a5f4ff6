"""Sends malformed records to the dead-letter topic and retries those that it has not acknowledged.

While the topic is unavailable, up to 100 records, or 8 MiB, are held in memory and stay open: later
records are handled, but neither the handled offsets nor the committed offset pass an open record. A
letter may arrive twice, but is never lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, for_code

from retraining_operator.kafka.batches.item import Item
from retraining_operator.kafka.client import MissingCredentialError, build_client_options
from retraining_operator.kafka.dead_letter import DeadLetter, build_dead_letter
from retraining_operator.kafka.errors import describe
from retraining_operator.kafka.progress import PartitionOffsets
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)

OPEN_LETTERS_LIMIT = 100
OPEN_BYTES_LIMIT = 8_388_608
"""How many letters, and how many bytes of them, are held while the topic is unavailable."""
WAIT_SECONDS = 2.0
"""How long a batch waits for its letters. A letter that takes longer stays open."""
SEND_SECONDS = 5.0
PAUSE_SECONDS = 5.0
POLL_SECONDS = 0.5
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class DeadLetters:
    """Sends dead letters. Without a dead-letter topic it does nothing.

    Args:
        kafka: The brokers and the topic.
        apply_backpressure: Creates a context in which no records are taken. Its argument is a text
            for the log.
    """

    def __init__(
        self, kafka: Kafka, apply_backpressure: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self._kafka = kafka
        self._apply_backpressure = apply_backpressure
        self._open: dict[tuple[int, int], DeadLetter] = {}
        self._delivered: set[tuple[int, int]] = set()
        self._sending: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._is_failing = False

    def count_open(self) -> int:
        """Return how many malformed records the topic has not acknowledged yet."""
        return len(self._open)

    @property
    def open_offsets(self) -> PartitionOffsets:
        """The records that are open."""
        return frozenset(self._open)

    def collect_delivered(self) -> PartitionOffsets:
        """Return the records that were delivered since the last call."""
        delivered, self._delivered = frozenset(self._delivered), set()
        return delivered

    async def add(self, record: Item, kind: str, message: str) -> None:
        """Add a malformed record. Waits only while too many records are open.

        Args:
            record: The record or undecodable batch.
            kind: The kind of malformed record.
            message: What is wrong with it.
        """
        if not self._kafka.dead_letter_topic:
            return
        if self._is_full:
            await self.send_open()
        if self._is_full:
            with self._apply_backpressure(
                f"The dead-letter topic {self._kafka.dead_letter_topic} is unavailable, and "
                f"{len(self._open)} malformed records are waiting for it."
            ):
                while self._is_full:
                    await asyncio.sleep(POLL_SECONDS)
                    await self.send_open()
        self._open[record.partition, record.offset] = build_dead_letter(record, kind, message)

    @property
    def _is_full(self) -> bool:
        size = sum(letter.size_bytes for letter in self._open.values())
        return len(self._open) >= OPEN_LETTERS_LIMIT or size >= OPEN_BYTES_LIMIT

    async def send_open(self) -> None:
        """Send the open letters and wait for up to 2 s.

        If the last try has failed, the next one starts after a backoff and in the background.
        """
        if self._open and self._sending is None and time.monotonic() >= self._retry_at:
            self._sending = asyncio.create_task(self._send())
        if self._sending:
            await asyncio.wait([self._sending], timeout=0 if self._is_failing else WAIT_SECONDS)
        if self._sending and self._sending.done():
            sending, self._sending = self._sending, None
            sending.result()  # an unexpected error ends the process

    async def _send(self) -> None:
        letters = dict(self._open)
        problem, sent = await asyncio.to_thread(send_letters, self._kafka, list(letters.values()))
        for position in list(letters)[:sent]:
            del self._open[position]
            self._delivered.add(position)
        self._retry_at = time.monotonic() + PAUSE_SECONDS if problem else 0.0
        self._log_change(problem)

    def _log_change(self, problem: str | None) -> None:
        topic = self._kafka.dead_letter_topic
        if problem and not self._is_failing:
            logger.error(
                "The dead-letter topic %s (kafka.deadLetterTopic) is unavailable: %s. %d malformed "
                "record(s) wait for it and are not committed; later records are handled.",
                topic,
                problem,
                len(self._open),
            )
        elif self._is_failing and not problem:
            logger.info("The dead-letter topic %s has acknowledged all malformed records.", topic)
        self._is_failing = bool(problem)


def send_letters(kafka: Kafka, letters: Sequence[DeadLetter]) -> tuple[str | None, int]:
    """Send letters in order. Blocks, so it runs in a thread.

    Args:
        kafka: The brokers and the topic.
        letters: What to send.

    Returns:
        The error or None, and how many letters from the first on were acknowledged.
    """
    try:
        check_topic(kafka)
        producer = KafkaProducer(
            **build_client_options(kafka),
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
            send_letter(producer, kafka.dead_letter_topic, letter)
            sent += 1
    except KafkaError as error:
        return describe(error), sent
    finally:
        producer.close(timeout=SEND_SECONDS)
    return None, sent


def check_topic(kafka: Kafka) -> None:
    """Check that the dead-letter topic exists, because a producer may create a misspelt one.

    Raises:
        KafkaError: If it does not exist or cannot be described.
    """
    with closing(KafkaAdminClient(**build_client_options(kafka))) as admin:
        [found] = admin.describe_topics([kafka.dead_letter_topic])
    if found["error_code"]:
        raise for_code(found["error_code"])


def send_letter(producer: Any, topic: str, letter: DeadLetter) -> None:
    """Send one letter and wait for its acknowledgement. If it is too large, send less of it.

    Args:
        producer: A KafkaProducer.
        topic: The dead-letter topic.
        letter: What to send.

    Raises:
        KafkaError: If the topic has not acknowledged it.
    """
    for form in (letter, letter.without_value(), letter.without_content()):
        try:
            future = producer.send(
                topic, key=form.key, value=form.value, headers=list(form.headers)
            )
            future.get(timeout=SEND_SECONDS * 2)
        except TOO_LARGE:
            continue
        else:
            return
    raise MessageSizeTooLargeError("the headers alone are too large")
