"""A replay creates the requests that are missing and only those, however often it runs."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining_operator.api.names import build_request_name
from retraining_operator.intake.replay import Replay, ReplayOutcome, replay
from retraining_operator.intake.replay_command import find_none
from retraining_operator.intake.replay_options import ReplayError
from retraining_operator.kafka.record_selection import RecordSelection
from retraining_operator.kafka.topic_reader import TopicReader
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from tests.integration.operator.parts import OperatorParts, build_intake
from tests.integration.operator.topic import Topic, listening, until
from tests.system.kubectl import Kubectl

DRIFT = b'{"reason": "drift"}'


async def run(
    settings: Settings,
    cluster: KubeClient,
    span: RecordSelection,
    known: Any = find_none,
    **options: Any,
) -> Any:
    lines: list[str] = []
    maker = Replay(cluster, known, dry_run=options.get("dry_run", False))
    fates = await replay(TopicReader(settings.kafka), span, maker, lines.append)
    return dict(fates), lines


def offsets(namespace: Kubectl) -> list[int]:
    return sorted(item["spec"]["trigger"]["offset"] for item in namespace.items("retrainrequests"))


async def test_only_missing_requests_are_created(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, topic: Topic
) -> None:
    await asyncio.to_thread(topic.send, DRIFT, DRIFT, b"drift!", DRIFT, DRIFT)
    records = await asyncio.to_thread(topic.records, 5)
    async with listening(
        settings, cluster
    ):  # all of them are handled offsets, which a replay ignores
        await until(lambda: topic.committed() == 5)
    names = {
        r.offset: build_request_name(r.topic, r.partition, r.offset, r.timestamp) for r in records
    }
    await asyncio.to_thread(namespace, "delete", "retrainrequests", names[0], names[3], names[4])

    async def known(asked: Sequence[str]) -> set[str]:
        return set(asked[2:3])  # that of offset 3, because the record at offset 2 is malformed

    span = RecordSelection(0, 0, 3)
    fates, lines = await run(settings, cluster, span, known, dry_run=True)
    assert fates == {
        ReplayOutcome.WOULD_CREATE: 1,
        ReplayOutcome.EXISTS: 1,
        ReplayOutcome.MALFORMED: 1,
        ReplayOutcome.FINISHED: 1,
    }
    assert offsets(namespace) == [1]
    fates, lines = await run(settings, cluster, span, known)
    assert fates == {
        ReplayOutcome.CREATED: 1,
        ReplayOutcome.EXISTS: 1,
        ReplayOutcome.MALFORMED: 1,
        ReplayOutcome.FINISHED: 1,
    }
    assert [line.split()[0].rpartition("/")[2] for line in lines[:-1]] == ["0", "1", "2", "3"]
    assert lines[-1].startswith("4 records: 1 created")
    fates, _ = await run(settings, cluster, span, known)
    assert fates == {ReplayOutcome.EXISTS: 2, ReplayOutcome.MALFORMED: 1, ReplayOutcome.FINISHED: 1}
    assert offsets(namespace) == [0, 1]
    assert topic.committed() == 5


async def test_times_select_from_every_partition(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, topic: Topic
) -> None:
    await asyncio.to_thread(topic.make, 2)
    await asyncio.to_thread(topic.send, DRIFT, partition=0)
    await asyncio.sleep(0.05)
    begin = int(datetime.now(UTC).timestamp() * 1000)
    await asyncio.to_thread(topic.send, DRIFT, partition=0)
    await asyncio.to_thread(topic.send, DRIFT, partition=1)
    await asyncio.sleep(0.05)
    end = int(datetime.now(UTC).timestamp() * 1000)
    await asyncio.to_thread(topic.send, DRIFT, partition=1)
    fates, _ = await run(settings, cluster, RecordSelection(from_ms=begin, to_ms=end))
    assert fates == {ReplayOutcome.CREATED: 2}
    assert offsets(namespace) == [0, 1]


async def test_consumer_finds_requests_that_a_replay_created(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, parts: OperatorParts, topic: Topic
) -> None:
    await asyncio.to_thread(topic.send, DRIFT, DRIFT)
    records = await asyncio.to_thread(topic.records, 2)
    await asyncio.gather(
        run(settings, cluster, RecordSelection(0, 0, 1)),
        build_intake(parts, cluster).accept(records),
        run(settings, cluster, RecordSelection(0, 0, 1)),
    )
    assert offsets(namespace) == [0, 1]


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (RecordSelection(0, 0, 1), "has the offsets 0 to 0, not 0 to 1"),
        (RecordSelection(7, 0, 0), "has no partition 7"),
    ],
)
async def test_records_that_kafka_does_not_have_are_refused(
    cluster: KubeClient, settings: Settings, topic: Topic, span: RecordSelection, words: str
) -> None:
    await asyncio.to_thread(topic.send, DRIFT)
    with pytest.raises(ReplayError, match=words):
        await run(settings, cluster, span)


async def test_unknown_topic_is_refused_and_not_created(
    cluster: KubeClient, settings: Settings
) -> None:
    for _ in range(2):
        with pytest.raises(ReplayError, match="has no topic"):
            await run(settings, cluster, RecordSelection(0, 0, 0))
