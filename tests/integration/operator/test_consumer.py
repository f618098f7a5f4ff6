"""Offsets are committed last: unhandled records are read again, handled records are not."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from retraining_operator.kafka.consumer import Consumer
from retraining_operator.kafka.progress import PartitionProgress
from retraining_operator.kube.client import KubeClient
from retraining_operator.observability.metrics import Metrics
from retraining_operator.settings import Settings
from tests.integration.operator.parts import OperatorParts
from tests.integration.operator.topic import Topic, listening, until
from tests.system.kubectl import Kubectl

WAIT_SECONDS = 40


@pytest.fixture
def produce(settings: Settings) -> Any:
    def send(*values: str, partition: int = 0) -> None:
        producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers)
        for value in values:
            producer.send(settings.kafka.topic, value.encode(), partition=partition)
        producer.flush()
        producer.close()

    return send


def committed(settings: Settings) -> int | None:
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap_servers, group_id=settings.kafka.group_id
    )
    offset: int | None = consumer.committed(TopicPartition(settings.kafka.topic, 0))
    consumer.close()
    return offset


class Sink:
    """Collects records, and can hold them back."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self.held = asyncio.Event()
        self.held.set()
        self.entered = asyncio.Event()
        self.enough = asyncio.Event()
        self.wanted = 1

    async def accept(
        self,
        records: Sequence[Any],
        topic_id: str | None,  # noqa: ARG002
    ) -> PartitionProgress:
        if not records:
            return PartitionProgress({}, {}, set())
        self.entered.set()
        await self.held.wait()
        self.values += [record.value.decode() for record in records]
        if len(self.values) >= self.wanted:
            self.enough.set()
        return PartitionProgress({}, {}, set())


async def run_until(
    settings: Settings, sink: Sink, event: asyncio.Event, linger_seconds: float = 0.5
) -> None:
    """Consume until an event is set and a while longer; then stop as SIGTERM would."""
    task = asyncio.create_task(Consumer(settings.kafka, sink.accept, Metrics()).run())
    try:
        await asyncio.wait_for(event.wait(), WAIT_SECONDS)
        await asyncio.sleep(linger_seconds)  # the commit comes after the last value
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def consume(settings: Settings, count: int = 1) -> list[str]:
    """Consume so many records and stop."""
    sink = Sink()
    sink.wanted = count
    await run_until(settings, sink, sink.enough)
    return sink.values


async def test_group_without_offsets_starts_at_the_earliest_record(
    produce: Any, settings: Settings
) -> None:
    await asyncio.to_thread(produce, "sent before the first start")
    assert await consume(settings) == ["sent before the first start"]
    assert await asyncio.to_thread(committed, settings) == 1


async def test_records_that_were_not_handled_are_read_again(
    produce: Any, settings: Settings
) -> None:
    await asyncio.to_thread(produce, "one", "two")
    stuck = Sink()
    stuck.held.clear()
    await run_until(
        settings, stuck, stuck.entered, linger_seconds=3
    )  # the thread polls on meanwhile
    assert stuck.values == []
    assert await asyncio.to_thread(committed, settings) is None
    assert await consume(settings, 2) == ["one", "two"]


async def test_records_that_were_handled_are_not_read_again(
    produce: Any, settings: Settings
) -> None:
    await asyncio.to_thread(produce, "one")
    await consume(settings)
    await asyncio.to_thread(produce, "two")
    assert await consume(settings) == ["two"]


async def test_consumer_leaves_no_thread_behind(produce: Any, settings: Settings) -> None:
    await asyncio.to_thread(produce, "one")
    before = {thread.name for thread in threading.enumerate() if "kafka" in thread.name}
    await consume(settings)
    assert {thread.name for thread in threading.enumerate() if "kafka" in thread.name} <= before


async def test_partition_that_is_assigned_during_backpressure_loses_no_record(
    produce: Any, settings: Settings
) -> None:
    admin = await asyncio.to_thread(
        KafkaAdminClient, bootstrap_servers=settings.kafka.bootstrap_servers
    )
    await asyncio.to_thread(admin.create_topics, [NewTopic(settings.kafka.topic, 2, 1)])
    await asyncio.to_thread(admin.close)
    sinks = [Sink(), Sink()]
    tasks = [
        asyncio.create_task(Consumer(settings.kafka, sink.accept, Metrics()).run())
        for sink in sinks
    ]
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not all(sink.values for sink in sinks):  # until each has a partition of its own
                await asyncio.gather(
                    *(asyncio.to_thread(produce, "warm", partition=number) for number in (0, 1))
                )
                await asyncio.sleep(1)
        for sink in sinks:
            sink.held.clear()
            sink.entered.clear()
        await asyncio.gather(
            *(asyncio.to_thread(produce, f"of {number}", partition=number) for number in (0, 1))
        )
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(*(sink.entered.wait() for sink in sinks))
        tasks[1].cancel()  # its record is not handled, and its partition goes to the other
        with contextlib.suppress(asyncio.CancelledError):
            await tasks[1]
        await asyncio.sleep(6)
        await asyncio.to_thread(produce, "later", partition=0)
        await asyncio.to_thread(produce, "later", partition=1)
        sinks[0].held.set()
        async with asyncio.timeout(WAIT_SECONDS):
            while (  # noqa: ASYNC110
                not {"of 0", "of 1"} <= set(sinks[0].values) or sinks[0].values.count("later") < 2
            ):
                await asyncio.sleep(0.1)  # what comes twice on the way makes counting useless
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


DRIFT = b'{"reason": "drift"}'


def at_the_end(settings: Settings) -> Settings:
    kafka = settings.kafka.model_copy(update={"start_position": "latest"})
    return settings.model_copy(update={"kafka": kafka})


async def test_group_that_starts_at_the_latest_record_loses_none_sent_while_it_was_stopped(
    topic: Topic, settings: Settings, cluster: KubeClient, namespace: Kubectl
) -> None:
    settings = at_the_end(settings)
    await asyncio.to_thread(topic.send, DRIFT, DRIFT)
    async with listening(settings, cluster):
        await until(lambda: topic.committed() == 2)
    await asyncio.to_thread(topic.send, DRIFT)
    async with listening(settings, cluster):
        await until(lambda: topic.committed() == 3)
    assert [item["spec"]["trigger"]["offset"] for item in namespace.items("retrainrequests")] == [2]


async def test_records_that_kafka_has_deleted_unread_are_logged_and_the_rest_is_read(
    topic: Topic, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = at_the_end(settings)  # which must not count here
    await asyncio.to_thread(topic.send, b"0")
    async with listening_sink(settings) as sink:
        await until(lambda: topic.committed() == 1)
    await asyncio.to_thread(topic.send, b"1", b"2", b"3")
    await asyncio.to_thread(topic.delete_before, 3)
    async with listening_sink(settings) as sink:
        await until(lambda: topic.committed() == 4)
    assert sink.values == ["3"]
    assert "offset 1 in partition 0" in caplog.text


async def test_rebalance_in_the_middle_of_a_batch_loses_and_duplicates_nothing(
    topic: Topic, settings: Settings, cluster: KubeClient, namespace: Kubectl
) -> None:
    await asyncio.to_thread(topic.make, 4)
    full = settings.model_copy(
        update={"triggers": settings.triggers.model_copy(update={"max_waiting": 3})}
    )
    for partition in range(4):
        await asyncio.to_thread(functools.partial(topic.send, *[DRIFT] * 20, partition=partition))
    async with listening(full, cluster) as first:
        await until(lambda: held(first))  # in the middle of its batch
        async with listening(settings, cluster) as second:
            await until(lambda: handled(second) >= 40)  # two of the partitions have moved
            while handled(first) < 80:
                for uid in list(first.cache.requests):
                    first.cache.remove_request(uid)  # as if each had its Job
                await asyncio.sleep(0.1)
            await until(lambda: [topic.committed(partition=n) for n in range(4)] == [20] * 4)
    places = [
        (t["partition"], t["offset"]) for t in map(trigger_of, namespace.items("retrainrequests"))
    ]
    assert sorted(places) == [(partition, offset) for partition in range(4) for offset in range(20)]
    assert handled(first, "accepted") + handled(second, "accepted") == 80


def trigger_of(item: dict[str, Any]) -> dict[str, Any]:
    return dict(item["spec"]["trigger"])


def handled(parts: OperatorParts, *outcomes: str) -> float:
    values = (
        parts.metrics.registry.get_sample_value("retraining_triggers_total", {"outcome": outcome})
        for outcome in outcomes or ("accepted", "duplicate", "skipped")
    )
    return sum(value or 0 for value in values)


def held(parts: OperatorParts) -> bool:
    labels = {"reason": "too_many_waiting"}
    return parts.metrics.registry.get_sample_value("retraining_consumer_held", labels) == 1


@contextlib.asynccontextmanager
async def listening_sink(settings: Settings) -> AsyncIterator[Sink]:
    sink = Sink()
    task = asyncio.create_task(Consumer(settings.kafka, sink.accept, Metrics()).run())
    yield sink
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
