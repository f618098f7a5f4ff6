"""A name that somebody else has taken never costs a record, whatever crashes in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from retraining_operator.api.record_request import build_request, compute_record_key
from retraining_operator.api.trigger import KafkaPosition, Trigger
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.intake.backpressure import Backpressure
from retraining_operator.intake.replay import Replay, ReplayOutcome
from retraining_operator.intake.request_creator import RequestCreator
from retraining_operator.observability.metrics import ACCEPTED, DUPLICATE
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.api_server import StoredRequests
from tests.unit.operator.test_dead_letter import MalformedRecord

TRIGGER = Trigger(KafkaPosition("drift", 0, 7, 1_750_000_000_123), "drift", '{"reason": "drift"}')
OWN = build_request(TRIGGER, "fraud")
NAME = OWN["metadata"]["name"]
RECORD = MalformedRecord(
    value=TRIGGER.record.encode(), topic="drift", partition=0, offset=7, timestamp=1_750_000_000_123
)
SECOND, THIRD = (build_request(TRIGGER, "fraud", n)["metadata"]["name"] for n in (1, 2))


def creator(server: StoredRequests, cache: ClusterCache | None = None) -> RequestCreator:
    """Build the creator of a process that has listed what the server stores."""
    cache = cache or ClusterCache()
    for body in server.objects.values():
        cache.update_request(body)
    return RequestCreator(
        cluster=server.client,
        cache=cache,
        fault_injection=FaultInjection.disabled(),
        backpressure=Backpressure(),
    )


def foreign(name: str = NAME, metadata: dict[str, Any] | None = None, **spec: Any) -> Any:
    return {
        **OWN,
        "metadata": {"name": name, "namespace": "fraud", **(metadata or {})},
        "spec": spec,
    }


def own_requests(server: StoredRequests) -> list[str]:
    """Return the names of the objects that are exactly the record's request."""
    return [
        name
        for name, body in server.objects.items()
        if body["spec"] == {**OWN["spec"], "suspend": False}
    ]


TAKEN = [
    pytest.param(foreign(), id="an empty spec"),
    pytest.param(foreign(suspend=True), id="suspended"),
    pytest.param(foreign(**OWN["spec"], suspend=True), id="the same trigger, suspended"),
    pytest.param(foreign(**OWN["spec"], dryRun=True), id="the same trigger as a dry run"),
    pytest.param(foreign(**OWN["spec"], rollbackTo=1), id="the same trigger as a rollback"),
    pytest.param(
        foreign(**{**OWN["spec"], "reason": "forged"}), id="the same trigger for another reason"
    ),
    pytest.param(
        foreign(**OWN["spec"], retries=0, deadlineSeconds=1), id="the same trigger, set to fail"
    ),
]


@pytest.mark.parametrize("taken", TAKEN)
async def test_record_whose_name_is_taken_becomes_exactly_one_request(taken: Any) -> None:
    server = StoredRequests()
    server.add(taken)
    assert await creator(server).create(TRIGGER) == ACCEPTED
    assert own_requests(server) == [SECOND]
    # The process died before it stored the offset: the next one reads the record again.
    assert await creator(server).create(TRIGGER) == DUPLICATE
    # Meanwhile, the other object was deleted, so the first name is free again.
    del server.objects[NAME]
    assert await creator(server).create(TRIGGER) == DUPLICATE
    assert own_requests(server) == [SECOND]


async def test_every_taken_name_leads_to_the_next_one(caplog: pytest.LogCaptureFixture) -> None:
    server = StoredRequests()
    server.add(foreign())
    server.add(foreign(SECOND, **OWN["spec"], margin="1"))
    assert await creator(server).create(TRIGGER) == ACCEPTED
    assert own_requests(server) == [THIRD]
    assert f"The RetrainRequest {NAME} was not created by the operator" in caplog.text
    assert "drift/0/7" in caplog.text
    assert "requests.policy.create" in caplog.text


async def test_object_that_is_deleted_before_it_is_read_costs_no_record() -> None:
    server = StoredRequests(deletes_taken=True)
    process = creator(server)
    server.add(foreign())  # after the process has listed all objects
    assert await process.create(TRIGGER) == ACCEPTED
    assert own_requests(server) == [NAME]


async def test_own_request_that_was_deleted_is_not_created_again_under_any_name() -> None:
    server, cache = StoredRequests(), ClusterCache()
    server.add(foreign())
    await creator(server, cache).create(TRIGGER)
    cache.remove_deleted_request(server.objects.pop(SECOND))
    cache.remove_deleted_request(server.objects.pop(NAME))
    assert await creator(server, cache).create(TRIGGER) == DUPLICATE
    assert server.objects == {}


async def test_deleted_object_of_somebody_else_costs_no_record() -> None:
    server, cache = StoredRequests(), ClusterCache()
    forged = foreign(**OWN["spec"], suspend=True)
    owned = foreign(metadata={"ownerReferences": [{"uid": "gone"}]}, **OWN["spec"])
    for each in (foreign(), forged, owned):
        cache.update_request(server.add(each))
        cache.remove_deleted_request(server.objects.pop(NAME))
    assert await creator(server, cache).create(TRIGGER) == ACCEPTED
    assert own_requests(server) == [NAME]


async def test_request_that_a_person_has_suspended_is_still_the_records() -> None:
    server = StoredRequests()
    await creator(server).create(TRIGGER)
    body = server.objects[NAME]
    body["spec"]["suspend"] = True
    body["metadata"]["generation"] = 2
    assert await creator(server).create(TRIGGER) == DUPLICATE
    assert list(server.objects) == [NAME]


async def test_replay_asks_the_database_for_the_record_and_not_for_a_name() -> None:
    key = compute_record_key(build_request(TRIGGER, "fraud", 1))

    async def find(keys: Sequence[str]) -> set[str]:
        return {key} & set(keys) if key else set()

    server = StoredRequests()
    server.add(foreign())  # has taken the first name, whatever became of it
    [(outcome, _)] = await Replay(server.client, find, dry_run=False).create_missing([RECORD])
    assert outcome is ReplayOutcome.FINISHED
    assert own_requests(server) == []


async def test_replay_finds_the_request_under_each_of_its_names() -> None:
    async def none(_: Any) -> set[str]:
        return set()

    server = StoredRequests()
    server.add(foreign())
    for expected in (ReplayOutcome.CREATED, ReplayOutcome.EXISTS):
        [(outcome, line)] = await Replay(server.client, none, dry_run=False).create_missing(
            [RECORD]
        )
        assert outcome is expected
    del server.objects[NAME]
    [(outcome, line)] = await Replay(server.client, none, dry_run=True).create_missing([RECORD])
    assert outcome is ReplayOutcome.EXISTS
    assert line == f"drift/0/7 exists: {SECOND}"
    assert own_requests(server) == [SECOND]
