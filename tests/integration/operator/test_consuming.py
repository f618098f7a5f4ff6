"""New and moving partitions, transactions, unreachable listeners, missing rights, successors."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    NewPartitions,
    ResourcePattern,
    ResourceType,
)

from retraining_operator.settings import Kafka
from tests.integration.operator.consumed_triggers import consuming, until, until_ready
from tests.integration.operator.own_kafka import DEAF_ADDRESS, Broker, Brokers, own_kafka

LOGIN = {
    "securityProtocol": "SASL_PLAINTEXT",
    "saslMechanism": "PLAIN",
    "existingSecret": "login",
}


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with own_kafka(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def broker(brokers: Brokers) -> Broker:
    return brokers.all[0]


def committed(kafka: Kafka, partition: int = 0) -> int | None:
    options = {"bootstrap_servers": kafka.bootstrap_servers, "group_id": kafka.group_id}
    with closing(KafkaConsumer(**options)) as consumer:
        offset: int | None = consumer.committed(TopicPartition(kafka.topic, partition))
        return offset


def add_partitions(broker: Broker, topic: str, count: int) -> None:
    with closing(broker.admin()) as admin:
        admin.create_partitions({topic: NewPartitions(count)})


@pytest.mark.parametrize("instance", [None, "fixed"])
@pytest.mark.parametrize("start", ["latest", "earliest"])
async def test_every_partition_is_placed_and_read_also_those_that_come_later(
    brokers: Brokers, broker: Broker, start: str, instance: str | None
) -> None:
    topic = f"grows-{start}-{instance}"
    await asyncio.to_thread(broker.make, topic, 2)
    for partition in range(2):
        await asyncio.to_thread(broker.send, topic, b"before", partition=partition)
    kafka = brokers.settings(topic, startPosition=start)
    async with consuming(kafka, instance) as (consumer, _):
        await until_ready(consumer)
    async with consuming(kafka, instance) as (
        consumer,
        taken,
    ):  # the broker answers a fixed member from memory
        await until_ready(consumer)
        for partition in range(2):
            await asyncio.to_thread(broker.send, topic, b"after", partition=partition)
        await asyncio.to_thread(add_partitions, broker, topic, 4)
        await asyncio.to_thread(
            broker.send, topic, b"new 2", partition=2
        )  # before anybody has noticed
        await asyncio.to_thread(broker.send, topic, b"new 3", partition=3)
        await until(lambda: len(taken.values) >= 4)
        await until(lambda: consumer.get_state().assigned_partitions == 4)
        assert sorted(value for value in taken.values if value) == [
            b"after",
            b"after",
            b"new 2",
            b"new 3",
        ]
        await until(
            lambda: consumer.get_state().lags == {(topic, number): 0 for number in range(4)}
        )


async def test_only_committed_records_are_read_and_the_lag_ends_at_zero(
    brokers: Brokers, broker: Broker
) -> None:
    await asyncio.to_thread(broker.make, "transactions")

    def transact() -> None:
        with closing(broker.producer(transactional_id="t")) as producer:
            producer.init_transactions()
            for value, end in (
                (b"one", producer.commit_transaction),
                (b"aborted", producer.abort_transaction),
                (b"two", producer.commit_transaction),
            ):
                producer.begin_transaction()
                producer.send("transactions", value, partition=0).get(20)
                end()

    await asyncio.to_thread(transact)
    kafka = brokers.settings("transactions")
    async with consuming(kafka) as (consumer, taken):
        await until(lambda: consumer.get_state().lags == {("transactions", 0): 0})
        await until(lambda: len(taken.values) == 2)
        await asyncio.sleep(1.2)
    assert taken.values == [b"one", b"two"]
    assert await asyncio.to_thread(committed, kafka) == 6


async def test_offset_that_somebody_set_is_respected_where_nobody_has_read_before(
    brokers: Brokers, broker: Broker
) -> None:
    await asyncio.to_thread(broker.make, "set", 2)
    await asyncio.to_thread(broker.send, "set", b"0", b"1", b"2")
    kafka = brokers.settings("set", startPosition="latest")

    def commit() -> None:
        with closing(
            KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id)
        ) as consumer:
            consumer.commit({TopicPartition("set", 0): OffsetAndMetadata(2, "", -1)})

    await asyncio.to_thread(commit)
    async with consuming(kafka) as (consumer, taken):
        await until(lambda: taken.values)
        await until_ready(consumer)
    assert taken.values == [b"2"]


async def test_listener_that_advertises_an_unreachable_address_is_logged_once_with_it(
    brokers: Brokers, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(broker.make, "deaf")
    kafka = brokers.settings("deaf", bootstrapServers=f"localhost:{broker.deaf_port}")
    with caplog.at_level(logging.INFO, "retraining_operator"):
        async with consuming(kafka) as (consumer, _):
            await until(lambda: DEAF_ADDRESS in (consumer.describe_problem() or ""))
            await until(lambda: find_warnings(caplog))
            await asyncio.sleep(5)
            assert not consumer.get_state().is_consuming
    assert len(find_warnings(caplog)) == 1
    assert all(
        word in find_warnings(caplog)[0]
        for word in (DEAF_ADDRESS, "deaf", kafka.group_id, kafka.bootstrap_servers)
    )


def find_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [one for one in caplog.records if one.name.startswith("retraining_operator")]
    return [one.getMessage() for one in records if one.levelno >= logging.WARNING]


async def test_misspelt_topic_is_logged_once_and_not_created(
    brokers: Brokers, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = brokers.settings("misspelt")
    async with consuming(kafka) as (consumer, taken):
        await until(lambda: find_warnings(caplog))
        await asyncio.sleep(3)
        assert "Kafka has no such topic" in (consumer.describe_problem() or "")
        assert len(find_warnings(caplog)) == 1
        await asyncio.to_thread(broker.make, "misspelt")
        await asyncio.to_thread(broker.send, "misspelt", b"now")
        await until(lambda: taken.values)
        await until_ready(consumer)


def allow(broker: Broker, kind: ResourceType, name: str) -> None:
    with closing(broker.admin()) as admin:
        admin.create_acls(
            [
                ACL(
                    principal="User:reader",
                    host="*",
                    operation=ACLOperation.READ,
                    permission_type=ACLPermissionType.ALLOW,
                    resource_pattern=ResourcePattern(kind, name),
                )
            ]
        )


@pytest.mark.parametrize("missing", ["group", "topic"])
async def test_missing_right_is_logged_once_with_what_to_allow(
    brokers: Brokers, broker: Broker, missing: str, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    topic = f"closed-{missing}"
    (tmp_path / "username").write_text("reader")
    (tmp_path / "password").write_text("reader-word")
    login = {
        **LOGIN,
        "bootstrapServers": f"localhost:{broker.login_port}",
        "secretFolder": str(tmp_path),
    }
    kafka = brokers.settings(topic, **login)
    await asyncio.to_thread(broker.make, topic)
    await asyncio.to_thread(broker.send, topic, b"1")
    rights = {"topic": (ResourceType.TOPIC, topic), "group": (ResourceType.GROUP, kafka.group_id)}
    await asyncio.to_thread(allow, broker, *rights["group" if missing == "topic" else "topic"])
    async with consuming(kafka) as (consumer, taken):
        advice = (f"READ and DESCRIBE on the {missing}", f"READ on the {missing}")
        await until(lambda: any(text in (consumer.describe_problem() or "") for text in advice))
        await until(lambda: find_warnings(caplog))
        await asyncio.sleep(5)
        assert len(find_warnings(caplog)) == 1
        await asyncio.to_thread(allow, broker, *rights[missing])
        await until(lambda: taken.values)
        await until_ready(consumer)


async def test_successor_with_the_same_identity_takes_over_and_the_former_joins_with_another(
    brokers: Brokers,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("retraining_operator.kafka.consumer.FENCED_SECONDS", 1.0)
    await asyncio.to_thread(broker.make, "fenced", 2)
    kafka = brokers.settings("fenced")
    async with (
        consuming(kafka, "same") as (first, taken),
        consuming(kafka, "same") as (second, also_taken),
    ):
        await until_ready(second)
        await until(
            lambda: any("Another process has taken" in line for line in find_warnings(caplog))
        )
        await until(
            lambda: (
                first.get_state().assigned_partitions == second.get_state().assigned_partitions == 1
            )
        )
        for partition in range(2):
            await asyncio.to_thread(broker.send, "fenced", b"%d" % partition, partition=partition)
        await until(lambda: len(taken.values) + len(also_taken.values) == 2)
        assert sum("Another process has taken" in line for line in find_warnings(caplog)) == 1


async def test_broker_that_stops_is_logged_and_the_state_follows(
    brokers: Brokers, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(broker.make, "later")
    kafka = brokers.settings("later")
    async with consuming(kafka, "one") as (consumer, taken):
        await until_ready(consumer)
        await asyncio.to_thread(broker.stop, kill=True)
        await until(consumer.describe_problem)
        await until(lambda: find_warnings(caplog))
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(broker.wait)
        await asyncio.to_thread(broker.send, "later", b"again")
        await until(lambda: taken.values)
        await until_ready(consumer)
