"""A record becomes one request, however often it is read."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import generate_latest

from retraining_operator.api.names import build_request_name
from retraining_operator.api.record_request import build_request
from retraining_operator.intake.intake import Intake
from retraining_operator.intake.record_parser import parse_record
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.resources import REQUESTS
from retraining_operator.settings import Settings
from tests.integration.operator.parts import OperatorParts, build_intake, populate
from tests.integration.operator.topic import until
from tests.system.kubectl import Kubectl, wait_for


@dataclass
class IntakeRecord:
    """What the intake reads of a consumed record."""

    offset: int
    value: bytes | None = b'{"reason": "drift"}'
    timestamp: int = 1_750_000_000_123
    topic: str = "drift"
    partition: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def names(namespace: Kubectl) -> list[str]:
    return [item["metadata"]["name"] for item in namespace.items("retrainrequests")]


def count(parts: OperatorParts, outcome: str) -> float:
    lines = generate_latest(parts.metrics.registry).decode().splitlines()
    series = f'retraining_triggers_total{{outcome="{outcome}"}}'
    return next(float(line.split()[-1]) for line in lines if line.startswith(series))


def held(intake: Intake, reason: str) -> bool:
    return intake.get_state().backpressure[reason]


async def test_record_that_is_read_twice_creates_one_request(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    intake = build_intake(parts, cluster)
    await intake.accept([IntakeRecord(1), IntakeRecord(2)])
    await intake.accept([IntakeRecord(1), IntakeRecord(2), IntakeRecord(3)])
    assert names(namespace) == sorted(
        build_request_name("drift", 0, offset, 1_750_000_000_123) for offset in (1, 2, 3)
    )
    assert (count(parts, "accepted"), count(parts, "skipped")) == (3, 2)


async def test_record_that_is_not_among_the_handled_offsets_is_found_by_its_name(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await build_intake(parts, cluster).accept([IntakeRecord(1), IntakeRecord(2)], None)
    await build_intake(parts, cluster).accept([IntakeRecord(1), IntakeRecord(2)], None)
    assert len(names(namespace)) == 2
    assert (count(parts, "accepted"), count(parts, "duplicate")) == (2, 2)


async def test_two_consumers_of_one_record_create_one_request(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    intakes = [build_intake(parts, cluster) for _ in range(4)]
    await asyncio.gather(
        *(intake.accept([IntakeRecord(offset) for offset in range(10)]) for intake in intakes)
    )
    assert len(names(namespace)) == 10
    assert (count(parts, "accepted"), count(parts, "duplicate")) == (10, 30)


async def test_topic_that_was_created_again_gives_new_requests(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    intake = build_intake(parts, cluster)
    await intake.accept([IntakeRecord(1)])
    await intake.accept([IntakeRecord(1, timestamp=1_760_000_000_000)])
    assert len(names(namespace)) == 2


async def test_malformed_record_does_not_stop_the_batch(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    intake = build_intake(parts, cluster)
    await intake.accept(
        [IntakeRecord(1), IntakeRecord(2, b"drift!"), IntakeRecord(3, None), IntakeRecord(4)]
    )
    assert len(names(namespace)) == 2
    assert (count(parts, "not_json"), count(parts, "empty")) == (1, 1)


OWN = build_request(parse_record(IntakeRecord(1)), "any")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="an empty spec"),
        pytest.param({**OWN["spec"], "suspend": True}, id="the same trigger, suspended"),
        pytest.param({**OWN["spec"], "dryRun": True}, id="the same trigger as a dry run"),
        pytest.param({**OWN["spec"], "deadlineSeconds": 1}, id="the same trigger, set to fail"),
    ],
)
async def test_record_whose_name_somebody_else_has_taken_becomes_exactly_one_request(
    namespace: Kubectl,
    cluster: KubeClient,
    settings: Settings,
    parts: OperatorParts,
    spec: dict[str, Any],
) -> None:
    taken = {**OWN, "metadata": {"name": OWN["metadata"]["name"]}, "spec": spec}
    await cluster.create(REQUESTS, taken)
    await populate(parts, cluster)
    await build_intake(parts, cluster).accept([IntakeRecord(1)], None)
    assert (count(parts, "accepted"), count(parts, "duplicate")) == (1, 0)
    own = {**OWN["spec"], "suspend": False}
    [name] = [
        item["metadata"]["name"]
        for item in namespace.items("retrainrequests")
        if item["spec"] == own
    ]
    assert name != OWN["metadata"]["name"]
    # Without a topic's id no offset was stored, so the next process reads the record again.
    await asyncio.to_thread(namespace, "delete", "retrainrequest", OWN["metadata"]["name"])
    successor = OperatorParts(settings)
    await populate(successor, cluster)
    await build_intake(successor, cluster).accept([IntakeRecord(1)], None)
    assert count(successor, "duplicate") == 1
    assert names(namespace) == [name]


async def test_records_stay_in_kafka_while_too_many_requests_wait(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    triggers = settings.triggers.model_copy(update={"max_waiting": 2})
    parts = OperatorParts(settings.model_copy(update={"triggers": triggers}))
    intake = build_intake(parts, cluster)
    accepting = asyncio.create_task(intake.accept([IntakeRecord(offset) for offset in range(40)]))
    await until(lambda: held(intake, "too_many_waiting"))
    await asyncio.sleep(0.2)
    assert len(names(namespace)) == 2
    for uid in list(parts.cache.requests):
        parts.cache.remove_request(uid)  # as if each had its Job
    while not accepting.done():
        await asyncio.sleep(0.1)
        for uid in list(parts.cache.requests):
            parts.cache.remove_request(uid)
    assert (await accepting).first_open == {}
    assert len(names(namespace)) == 40
    assert not held(intake, "too_many_waiting")


@pytest.mark.parametrize(("suspended", "expected"), [(True, 3), (False, 0)])
async def test_only_requests_that_can_run_stop_the_intake(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, suspended: bool, expected: int
) -> None:
    triggers = settings.triggers.model_copy(update={"max_waiting": 20})
    parts = OperatorParts(settings.model_copy(update={"triggers": triggers}))
    body = {"apiVersion": OWN["apiVersion"], "kind": OWN["kind"], "spec": {"suspend": suspended}}
    for number in range(25):
        await cluster.create(REQUESTS, {**body, "metadata": {"name": f"by-hand-{number}"}})
    await populate(parts, cluster)
    records = [IntakeRecord(offset) for offset in range(3)]
    accepting = asyncio.create_task(build_intake(parts, cluster).accept(records))
    await asyncio.wait([accepting], timeout=3)
    assert len(names(namespace)) == 25 + expected
    assert accepting.done() is suspended
    accepting.cancel()


async def test_without_a_limit_no_record_waits(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    triggers = settings.triggers.model_copy(update={"max_waiting": 0})
    parts = OperatorParts(settings.model_copy(update={"triggers": triggers}))
    await build_intake(parts, cluster).accept([IntakeRecord(offset) for offset in range(20)])
    assert len(names(namespace)) == 20


async def test_records_wait_for_an_api_server_that_refuses_them_for_now(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    namespace.apply({**quota, "spec": {"hard": {"count/retrainrequests.retraining.dev": "0"}}})
    wait_for(
        "the quota", lambda: namespace.get("resourcequota", "none").get("status", {}).get("hard")
    )
    intake = build_intake(parts, cluster)
    accepting = asyncio.create_task(intake.accept([IntakeRecord(offset) for offset in range(5)]))
    await until(lambda: held(intake, "api_server"))
    assert names(namespace) == []
    await asyncio.sleep(0.5)
    assert not accepting.done()
    namespace("delete", "resourcequota", "none")
    assert (await accepting).first_open == {}
    assert len(names(namespace)) == 5
    assert not held(intake, "api_server")
