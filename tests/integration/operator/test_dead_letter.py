"""A malformed record is sent as a dead letter before its offset is committed."""

import asyncio
import json

import pytest
from kafka.admin import NewTopic

from retraining_operator.kafka import dead_letters
from retraining_operator.kafka.batches.item import UndecodableBatch
from retraining_operator.kafka.batches.record_batch import Fault
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from tests.integration.operator.parts import OperatorParts, build_intake
from tests.integration.operator.topic import Topic, listening, until
from tests.system.kubectl import Kubectl

DRIFT = b'{"reason": "drift"}'


@pytest.fixture
def dead(settings: Settings, topic: Topic) -> Topic:
    return Topic(settings.kafka, f"{topic.name}-dead")


@pytest.fixture
def with_dead_letters(settings: Settings, dead: Topic) -> Settings:
    kafka = settings.kafka.model_copy(update={"dead_letter_topic": dead.name})
    return settings.model_copy(update={"kafka": kafka})


def made(namespace: Kubectl) -> int:
    return len(namespace.items("retrainrequests"))


async def test_malformed_record_goes_to_the_dead_letter_topic(
    namespace: Kubectl, cluster: KubeClient, with_dead_letters: Settings, topic: Topic, dead: Topic
) -> None:
    await asyncio.to_thread(dead.make)
    await asyncio.to_thread(topic.send, DRIFT, b"\x00drift!", DRIFT, key=b"\xffkey")
    async with listening(with_dead_letters, cluster):
        await until(lambda: topic.committed() == 3)
    [letter] = await asyncio.to_thread(dead.records, 1)
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"\xffkey", b"\x00drift!")
    assert headers["retraining-reason"] == b"not_json"
    assert b"not JSON" in headers["retraining-message"]
    assert (headers["retraining-topic"], headers["retraining-offset"]) == (
        topic.name.encode(),
        b"1",
    )
    assert made(namespace) == 2


async def test_undecodable_batch_goes_to_the_dead_letter_topic_with_its_range_even_if_it_compresses(
    cluster: KubeClient, with_dead_letters: Settings, topic: Topic, dead: Topic
) -> None:
    codec = {"compression.type": "zstd"}
    await asyncio.to_thread(
        dead.admin,
        lambda admin: admin.create_topics([NewTopic(dead.name, 1, 1, topic_configs=codec)]),
    )
    parts = OperatorParts(with_dead_letters)
    intake = build_intake(parts, cluster)
    intake.open()
    fit, huge = (UndecodableBatch(topic.name, 0, at, at + 4, Fault.CHECKSUM, "damaged",
        b"raw" * size)
                 for at, size in ((5, 1), (10, 700_000)))  # fmt: skip
    progress = await intake.accept([fit, huge], "id")
    assert not progress.first_open
    letters = await asyncio.to_thread(dead.records, 2)
    assert [letter.value for letter in letters] == [b"raw", b""]
    for letter, batch in zip(letters, (fit, huge), strict=True):
        headers = dict(letter.headers)
        assert headers["retraining-reason"] == b"undecodable"
        assert headers["retraining-fault"] == b"checksum"
        assert int(headers["retraining-first-offset"]) == batch.first_offset
        assert int(headers["retraining-last-offset"]) == batch.offset
    value = parts.metrics.registry.get_sample_value
    assert value("retraining_consumer_skipped_batches_total", {"reason": "checksum"}) == 2


async def test_missing_dead_letter_topic_delays_the_record_and_not_those_after_it(  # noqa: PLR0917
    namespace: Kubectl,
    cluster: KubeClient,
    with_dead_letters: Settings,
    topic: Topic,
    dead: Topic,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(dead_letters, "SEND_SECONDS", 1.0)
    monkeypatch.setattr(dead_letters, "PAUSE_SECONDS", 0.5)
    await asyncio.to_thread(topic.send, DRIFT, b"drift!", DRIFT)
    async with listening(with_dead_letters, cluster) as parts:
        await until(lambda: topic.committed() == 1)
        await asyncio.to_thread(topic.send, DRIFT)
        await until(lambda: made(namespace) == 3)
        assert parts.metrics.registry.get_sample_value("retraining_dead_letters_open") == 1
    assert topic.committed() == 1
    assert len([line for line in caplog.messages if "kafka.deadLetterTopic" in line]) == 1
    await asyncio.to_thread(namespace, "delete", "retrainrequests", "--all")
    await asyncio.to_thread(dead.make)
    async with listening(with_dead_letters, cluster):
        await until(lambda: topic.committed() == 4)
    assert [letter.value for letter in await asyncio.to_thread(dead.records, 1)] == [b"drift!"]
    [line] = namespace.get("configmap", with_dead_letters.handled_offsets_name)["data"].values()
    assert json.loads(line)["open"] == []
    assert made(namespace) == 0  # those behind it were handled, and are not made again
