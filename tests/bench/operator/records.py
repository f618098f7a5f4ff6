"""Plain sending and polling of records, with the times of both."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from retraining_operator.api.names import build_request_name
from retraining_operator.api.trigger import KafkaPosition, Trigger
from tests.bench.operator.place import Place
from tests.system.endpoints import broker

VALUE = json.dumps({"reason": "drift_detected", "drift_score": 0.31, "feature": "amount"})


@dataclass(frozen=True)
class Sent:
    """A record that Kafka has acknowledged."""

    at: float
    """The time before it was sent."""
    request: str
    """The name of its RetrainRequest."""


class Producer:
    """Sends records to one topic."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._kafka = KafkaProducer(bootstrap_servers=broker(), linger_ms=0, acks=1)

    async def send(self, count: int = 1) -> list[Sent]:
        """Send records at once and wait for Kafka's acknowledgement."""
        at = time.perf_counter()
        futures = [self._kafka.send(self._topic, VALUE.encode()) for _ in range(count)]
        metadata = await asyncio.to_thread(lambda: [future.get(30) for future in futures])
        return [
            Sent(at, build_request_name(self._topic, one.partition, one.offset, one.timestamp))
            for one in metadata
        ]

    def close(self) -> None:
        """Close the connection."""
        self._kafka.close()


@asynccontextmanager
async def producing(place: Place) -> AsyncIterator[Producer]:
    """Create a producer that has sent before, so that the first record is like the others."""
    producer = await asyncio.to_thread(Producer, place.topic)
    try:
        yield producer
    finally:
        await asyncio.to_thread(producer.close)


class BareConsumer:
    """A kafka-python consumer with defaults, which only polls."""

    def __init__(self, topic: str) -> None:
        self._kafka = KafkaConsumer(bootstrap_servers=broker(), enable_auto_commit=False)
        self._kafka.assign([TopicPartition(topic, 0)])
        self._kafka.seek_to_end()
        self._kafka.poll(200)

    def poll(self) -> float:
        """Wait for the next record. Returns the time when the poll returned."""
        while not self._kafka.poll(1000):
            pass
        return time.perf_counter()

    def close(self) -> None:
        """Close the connection."""
        self._kafka.close()


def trigger(place: Place, offset: int) -> Trigger:
    """Build the trigger of a made-up record.

    Args:
        place: Namespace and topic.
        offset: The record's offset.

    Returns:
        The trigger.
    """
    return Trigger(
        KafkaPosition(place.topic, 0, offset, 1_780_000_000_000 + offset), "drift_detected", VALUE
    )


def patience() -> Any:
    """Wait a moment between two samples."""
    return asyncio.sleep(0.03)
