"""The control loop stops when it is cancelled, and refuses what the owner does not allow."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from retraining_operator.api.request_limits import build_limits
from retraining_operator.controller.executor import Executor
from retraining_operator.controller.pruner import Pruner
from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.planning.steps import Launch, Step, WriteStatus
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Requests, Settings
from retraining_operator.watch.cache import ClusterCache

Build = Callable[..., dict[str, Any]]
NOBODY: Any = cast("Any", None)


async def test_cancellation_together_with_a_change_is_not_lost(settings: Settings) -> None:
    cache = ClusterCache()
    write_priority = WritePriority(cache.changed.set)
    with write_priority.claim():  # so that it waits for a change, or for some seconds
        running = asyncio.create_task(
            Reconciler(
                cache=cache,
                executor=NOBODY,
                pruner=NOBODY,
                write_priority=write_priority,
                triggers=settings.triggers,
                limits=build_limits(settings),
                approvals=settings.approvals,
                retention=settings.retention,
                clock=lambda: datetime.now(UTC),
            ).run()
        )
        await asyncio.sleep(0.1)
        cache.changed.set()
        running.cancel()
        await asyncio.wait([running], timeout=2)
    assert running.cancelled()


class RecordingExecutor:
    """Collects the steps that it is asked to execute."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    async def execute(self, step: Step) -> None:
        self.steps.append(step)


class IdlePruner:
    async def prune(self, _: object) -> None:
        """Delete nothing."""


@pytest.mark.parametrize("is_open", [False, True])
async def test_owners_limits_decide_which_requests_are_launched(
    settings: Settings, request_body: Build, is_open: bool
) -> None:
    opened = Requests(open=("margin",) if is_open else ())
    cache, executor = ClusterCache(), RecordingExecutor()
    cache.update_request(request_body("greedy", {"margin": "1"}))
    cache.update_request(request_body("plain"))
    reconciler = Reconciler(
        cache=cache,
        executor=cast("Executor", executor),
        pruner=cast("Pruner", IdlePruner()),
        write_priority=WritePriority(cache.changed.set),
        triggers=settings.triggers,
        limits=build_limits(settings.model_copy(update={"requests": opened})),
        approvals=settings.approvals,
        retention=settings.retention,
        clock=lambda: datetime.now(UTC),
    )
    for _ in range(2):  # the second time, the first judgement is reused
        executor.steps.clear()
        async with asyncio.TaskGroup() as group:
            reconciler.dispatch(group)
        launched = {step.request.name for step in executor.steps if isinstance(step, Launch)}
        assert launched == ({"greedy", "plain"} if is_open else {"plain"})
        refused = [step for step in executor.steps if isinstance(step, WriteStatus)]
        assert [step.request.name for step in refused] == ([] if is_open else ["greedy"])
    if refused:
        condition = refused[0].status["conditions"][0]
        assert (condition["status"], condition["reason"]) == ("False", "RequestNotAllowed")
        assert "spec.margin: 1 is not allowed" in condition["message"]
