"""Handled records do not run again, even without requests and offsets; new records do."""

import asyncio
from dataclasses import dataclass
from typing import Any

from retraining_operator.intake.handled_offset import parse_entry
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from tests.integration.operator.parts import OperatorParts, build_intake
from tests.integration.operator.topic import Topic, listening, until
from tests.system.kubectl import Kubectl

DRIFT = b'{"reason": "drift"}'


@dataclass
class HandledRecord:
    """What the intake reads of a consumed record."""

    offset: int
    partition: int = 0
    timestamp: int = 1_750_000_000_123
    value: bytes | None = DRIFT
    topic: str = "drift"


def offsets(namespace: Kubectl) -> list[int]:
    return sorted(item["spec"]["trigger"]["offset"] for item in namespace.items("retrainrequests"))


def of_another_group(settings: Settings) -> Settings:
    kafka = settings.kafka.model_copy(update={"group_id": f"{settings.kafka.group_id}-2"})
    return settings.model_copy(update={"kafka": kafka})


def kept(namespace: Kubectl) -> dict[int, Any]:
    [found] = [
        item
        for item in namespace.items("configmaps")
        if item["metadata"]["name"].endswith("-offsets")
    ]
    entries = [parsed for line in found["data"].values() if (parsed := parse_entry(line))]
    return {partition: entry for _, partition, entry in entries}


async def test_nothing_runs_again_when_offsets_and_requests_are_gone(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, topic: Topic
) -> None:
    await asyncio.to_thread(topic.send, DRIFT, b"drift!", DRIFT)
    async with listening(settings, cluster):
        await until(lambda: topic.committed() == 3)
    await asyncio.to_thread(namespace, "delete", "retrainrequests", "--all")
    await asyncio.to_thread(topic.send, DRIFT)
    fresh = of_another_group(settings)
    async with listening(fresh, cluster) as parts:
        await until(lambda: topic.committed(fresh.kafka.group_id) == 4)
    assert offsets(namespace) == [3]
    assert (
        parts.metrics.registry.get_sample_value("retraining_triggers_total", {"outcome": "skipped"})
        == 3
    )


async def test_topic_created_again_while_consuming_is_read_from_its_beginning(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, topic: Topic
) -> None:
    await asyncio.to_thread(topic.send, DRIFT, DRIFT)
    async with listening(settings, cluster):
        await until(lambda: topic.committed() == 2)
        await asyncio.to_thread(topic.delete)
        await asyncio.sleep(1)
        await asyncio.to_thread(topic.send, DRIFT, DRIFT, DRIFT)
        await until(lambda: len(offsets(namespace)) == 5)
    assert offsets(namespace) == [0, 0, 1, 1, 2]


async def test_topic_created_again_while_nobody_consumes_is_read_from_its_beginning(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, topic: Topic
) -> None:
    await asyncio.to_thread(topic.send, DRIFT, DRIFT)
    async with listening(settings, cluster):
        await until(lambda: topic.committed() == 2)
    await asyncio.to_thread(topic.delete)
    await asyncio.sleep(1)
    await asyncio.to_thread(topic.send, DRIFT, DRIFT, DRIFT)
    await asyncio.to_thread(topic.commit, 2)  # as a consumer does that has not heard of it yet
    async with listening(settings, cluster):
        await until(lambda: len(offsets(namespace)) == 5)


async def test_topic_that_was_moved_with_its_offset_runs_nothing_again(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, topic: Topic
) -> None:
    await asyncio.to_thread(topic.send, *[DRIFT] * 5)
    async with listening(settings, cluster):
        await until(lambda: topic.committed() == 5)
    await asyncio.to_thread(topic.delete)
    await asyncio.sleep(1)
    await asyncio.to_thread(
        topic.send, *[DRIFT] * 4
    )  # the same records at new offsets, and one that is new
    await asyncio.to_thread(topic.commit, 3)  # as a tool does that translates offsets
    async with listening(settings, cluster):
        await until(lambda: topic.committed() == 4)
    async with listening(settings, cluster):  # the next start knows the topic
        await asyncio.to_thread(topic.send, DRIFT)
        await until(lambda: topic.committed() == 5)
    assert offsets(namespace) == [0, 1, 2, 3, 3, 4, 4]


async def test_two_writers_do_not_overwrite_each_other(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    intakes = [build_intake(parts, cluster) for _ in range(3)]
    for start in (0, 5):
        await asyncio.gather(
            *(
                intake.accept(
                    [HandledRecord(offset, partition) for offset in range(start, start + 5)], "id"
                )
                for partition, intake in enumerate([*intakes, intakes[0]])
            )
        )
    assert {partition: entry.offset for partition, entry in kept(namespace).items()} == {
        0: 9,
        1: 9,
        2: 9,
        3: 9,
    }
    assert len(offsets(namespace)) == 40


async def test_offsets_that_were_not_handled_are_not_stored(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    full = settings.model_copy(
        update={"triggers": settings.triggers.model_copy(update={"max_waiting": 1})}
    )
    accepting = asyncio.create_task(
        build_intake(OperatorParts(full), cluster).accept(
            [HandledRecord(n) for n in range(30)], "id"
        )
    )
    await until(lambda: offsets(namespace))
    accepting.cancel()
    await asyncio.gather(accepting, return_exceptions=True)
    await build_intake(OperatorParts(settings), cluster).accept(
        [HandledRecord(n) for n in range(30)], "id"
    )
    assert offsets(namespace) == list(range(30))
    assert kept(namespace)[0].offset == 29


async def test_deleted_config_map_of_handled_offsets_is_created_again(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    intake = build_intake(parts, cluster)
    await intake.accept([HandledRecord(1), HandledRecord(2, 1)], "id")
    await asyncio.to_thread(namespace, "delete", "configmap", parts.settings.handled_offsets_name)
    await intake.accept([HandledRecord(3)], "id")
    assert kept(namespace)[0].offset == 3
