"""Replaces the intake: collects the records and batches of a consumer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from retraining_operator.kafka.batches.item import UndecodableBatch
from retraining_operator.kafka.consumer import Consumer
from retraining_operator.kafka.progress import PartitionProgress
from retraining_operator.observability.metrics import Metrics
from retraining_operator.settings import Kafka

WAIT_SECONDS = 60


class Collected:
    """The collected records and batches."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.skipped: list[UndecodableBatch] = []

    async def accept(
        self,
        records: Sequence[Any],
        topic_id: str | None,  # noqa: ARG002
    ) -> PartitionProgress:
        """Collect a batch."""
        for record in records:
            if isinstance(record, UndecodableBatch):
                self.skipped.append(record)
            else:
                self.values.append(record.value)
        return PartitionProgress({}, {}, set())


@asynccontextmanager
async def consuming(
    kafka: Kafka, instance_id: str | None = None
) -> AsyncIterator[tuple[Consumer, Collected]]:
    """Run a consumer for the block. At the end it stops as after SIGTERM."""
    taken = Collected()
    consumer = Consumer(kafka, taken.accept, Metrics(), instance_id)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer, taken
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(look: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """Wait until a function returns something true, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := look()):  # noqa: ASYNC110  # what it looks at is elsewhere
            await asyncio.sleep(0.05)
        return found


async def until_ready(consumer: Consumer) -> None:
    """Wait until the consumer reads."""
    await until(lambda: consumer.describe_problem() is None)
