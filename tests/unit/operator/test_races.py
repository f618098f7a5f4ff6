"""Answers of the API server that only a race brings, which a real one cannot be made to give."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from retraining_operator.controller.backoff import Backoff
from retraining_operator.controller.executor import Executor
from retraining_operator.controller.pruner import Pruner
from retraining_operator.controller.step_runner import StepRunner
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.intake.backpressure import Backpressure
from retraining_operator.intake.record_parser import parse_record
from retraining_operator.intake.request_creator import RequestCreator
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import KubeError, read_error
from retraining_operator.observability.metrics import ACCEPTED
from retraining_operator.planning.finished import FinishedRun
from retraining_operator.planning.steps import Launch
from retraining_operator.priority import WritePriority
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.test_dead_letter import MalformedRecord

Build = Callable[..., dict[str, Any]]

QUOTA_CONFLICT = (
    '{"kind": "Status", "reason": "Conflict", "message": "Operation cannot be fulfilled on '
    'resourcequotas \\"requests\\": the object has been modified"}'
)
GONE = '{"kind": "Status", "reason": "NotFound", "message": "gone", "details": {"kind": "%s"}}'


class RacingCluster:
    """Answers each call with the next answer of its script.

    Args:
        answers: Bodies to return, and errors to raise.
    """

    def __init__(self, *answers: dict[str, Any] | KubeError) -> None:
        self.answers = list(answers)
        self.namespace = "fraud"

    async def answer(self, *_: object) -> dict[str, Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, KubeError):
            raise answer
        return answer

    create = read = delete_request = answer

    @property
    def client(self) -> KubeClient:
        return cast("KubeClient", self)


async def test_conflict_with_another_write_to_a_quota_loses_no_record(request_body: Build) -> None:
    record = MalformedRecord(value=b'{"reason": "drift"}')
    cluster = RacingCluster(read_error(409, QUOTA_CONFLICT), request_body())
    creator = RequestCreator(
        cluster=cluster.client,
        cache=ClusterCache(),
        fault_injection=FaultInjection.read({}),
        backpressure=Backpressure(),
    )
    assert await creator.create(parse_record(record)) == ACCEPTED
    assert cluster.answers == []


@pytest.mark.parametrize(("kind", "stays"), [("jobs", True), ("retrainrequests", False)])
async def test_only_a_missing_request_is_removed_from_the_cache(
    request_body: Build, kind: str, stays: bool
) -> None:
    class Refusing:
        async def execute(self, _step: Launch) -> None:
            raise read_error(404, GONE % kind)

    cache, backoff = ClusterCache(), Backoff()
    cache.update_request(request_body())
    runner = StepRunner(
        executor=cast("Executor", Refusing()),
        cache=cache,
        write_priority=WritePriority(cache.changed.set),
        backoff=backoff,
    )
    [request] = cache.requests.values()
    async with asyncio.TaskGroup() as group:
        runner.start(group, Launch(request))
    assert (request.uid in cache.requests, backoff.is_waiting(request)) == (stays, stays)


async def test_pruning_an_older_version_leaves_the_newer_one(
    request_body: Build, ended: Callable[..., FinishedRun]
) -> None:
    cache = ClusterCache()
    cache.update_request(request_body("before", version=8))
    cluster = RacingCluster(read_error(409, QUOTA_CONFLICT))
    run = replace(ended(), uid="uid-of-before", resource_version=7)
    await Pruner(cluster=cluster.client, cache=cache).prune([run])
    assert list(cache.requests) == ["uid-of-before"]
