"""One topic of the real Kafka, as a test writes to it and looks at it.

Synchronous; call it in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic

from retraining_operator.kafka.consumer import Consumer
from retraining_operator.kube.client import KubeClient
from retraining_operator.observability.gauges import Sources
from retraining_operator.settings import Kafka, Settings
from tests.integration.operator.parts import OperatorParts, build_intake

WAIT_SECONDS = 40


class Topic:
    """A topic by name. Sending to it creates it."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.kafka = kafka
        self.name = name

    def send(
        self, *values: bytes | None, partition: int = 0, key: bytes | None = None
    ) -> list[int]:
        """Send records. Returns their offsets."""
        with closing(KafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers)) as producer:
            sent = [
                producer.send(self.name, value, key=key, partition=partition) for value in values
            ]
            return [future.get(10).offset for future in sent]

    def admin(self, act: Callable[[KafkaAdminClient], Any]) -> Any:
        """Run a function with an administration client."""
        with closing(KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)) as admin:
            return act(admin)

    def make(self, partitions: int = 1) -> None:
        """Create the topic."""
        self.admin(lambda admin: admin.create_topics([NewTopic(self.name, partitions, 1)]))

    def delete(self) -> None:
        """Delete the topic, and wait until it is deleted."""
        self.admin(lambda admin: admin.delete_topics([self.name]))

    def delete_before(self, offset: int) -> None:
        """Delete the records before an offset, as Kafka's retention does."""
        self.admin(lambda admin: admin.delete_records({TopicPartition(self.name, 0): offset}))

    def committed(self, group: str | None = None, partition: int = 0) -> int | None:
        """Return the group's committed offset."""
        options = {
            "bootstrap_servers": self.kafka.bootstrap_servers,
            "group_id": group or self.kafka.group_id,
        }
        with closing(KafkaConsumer(**options)) as consumer:
            offset: int | None = consumer.committed(TopicPartition(self.name, partition))
            return offset

    def commit(self, offset: int) -> None:
        """Commit an offset for the group, which must have no members."""
        options = {
            "bootstrap_servers": self.kafka.bootstrap_servers,
            "group_id": self.kafka.group_id,
        }
        with closing(KafkaConsumer(**options, enable_auto_commit=False)) as consumer:
            consumer.commit({TopicPartition(self.name, 0): OffsetAndMetadata(offset, "", -1)})

    def records(self, count: int) -> list[Any]:
        """Read a number of records from the beginning."""
        with closing(KafkaConsumer(bootstrap_servers=self.kafka.bootstrap_servers)) as consumer:
            consumer.assign([TopicPartition(self.name, 0)])
            consumer.seek_to_beginning()
            found: list[Any] = []
            for _ in range(WAIT_SECONDS):
                found += [record for batch in consumer.poll(1000).values() for record in batch]
                if len(found) >= count:
                    break
            return found


def always() -> bool:
    """Return True, as a replica does that leads."""
    return True


@asynccontextmanager
async def listening(settings: Settings, cluster: KubeClient) -> AsyncIterator[OperatorParts]:
    """Run consumer and intake for the block. At the end they stop as after SIGTERM."""
    parts = OperatorParts(settings)
    intake = build_intake(parts, cluster)
    consumer = Consumer(settings.kafka, intake.accept, parts.metrics)
    work = partial(parts.cache.count_work, {})
    parts.metrics.export_gauges(
        Sources(always, always, work=work, consumer=consumer.get_state, intake=intake.get_state)
    )
    task = asyncio.create_task(consumer.run())
    try:
        yield parts
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(look: Callable[[], Any]) -> Any:
    """Wait until a function, run in a thread, returns something true."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (found := await asyncio.to_thread(look)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return found
