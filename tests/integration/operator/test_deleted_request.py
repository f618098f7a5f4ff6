"""A record whose RetrainRequest was deleted after a crash does not run a second time."""

import asyncio
import logging
from typing import Any

import pytest

from retraining_operator.api.names import build_request_name
from retraining_operator.intake.catch_up import catch_up
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from retraining_operator.watch.requested_positions import RequestedPositions
from tests.integration.operator.parts import OperatorParts, build_intake, populate
from tests.integration.operator.test_intake import IntakeRecord, names
from tests.integration.operator.test_process import start  # noqa: F401  # a fixture
from tests.integration.operator.topic import Topic
from tests.system.kubectl import Kubectl, wait_for

EXIT_KILLED = 137


@pytest.mark.usefixtures("no_pods")
@pytest.mark.parametrize("point", ["request-created", "job-created"])
def test_request_that_is_deleted_while_no_operator_runs_is_not_created_again(
    start: Any,
    namespace: Kubectl,
    topic: Topic,
    point: str,
) -> None:
    topic.send(b"{}", b"{}", b"{}")
    assert start(crash_points=f"{point}=1").wait(60) == EXIT_KILLED
    created = names(namespace)
    assert created
    namespace("delete", "retrainrequests", "--all")
    start()
    wait_for("the offsets", lambda: topic.committed() == 3, 60)
    assert set(names(namespace)) & set(created) == set()
    assert len(names(namespace)) == 3 - len(created)  # the others are not lost
    assert len(namespace.items("jobs")) <= 3 - len(created)


async def test_request_that_is_deleted_after_the_next_start_is_not_created_again(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, parts: OperatorParts
) -> None:
    await build_intake(OperatorParts(settings), cluster).accept(
        [IntakeRecord(1)], None
    )  # without a topic's id the handled offsets are not written
    await populate(parts, cluster)
    await asyncio.to_thread(namespace, "delete", "retrainrequests", "--all")
    await build_intake(parts, cluster).accept([IntakeRecord(1), IntakeRecord(2)], None)
    assert names(namespace) == [build_request_name("drift", 0, 2, 1_750_000_000_123)]


async def test_standby_remembers_what_its_watch_has_shown(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, parts: OperatorParts
) -> None:
    await build_intake(OperatorParts(settings), cluster).accept([IntakeRecord(1)], None)
    [body] = namespace.items("retrainrequests")
    parts.cache.remove_deleted_request(body)  # as the watch's handler does
    await asyncio.to_thread(namespace, "delete", "retrainrequests", "--all")
    await build_intake(parts, cluster).accept([IntakeRecord(1)], None)
    assert names(namespace) == []


async def test_copy_of_a_trigger_under_another_name_is_ignored(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, parts: OperatorParts
) -> None:
    await build_intake(OperatorParts(settings), cluster).accept([IntakeRecord(1)], None)
    [body] = namespace.items("retrainrequests")
    await asyncio.to_thread(namespace, "delete", "retrainrequests", "--all")
    parts.cache.remove_deleted_request({**body, "metadata": {**body["metadata"], "name": "a-copy"}})
    elsewhere = build_intake(parts, cluster)
    elsewhere._is_prepared = True  # as if the history had nothing
    await elsewhere._handled_offsets.reload()
    await elsewhere.accept([IntakeRecord(1)], None)
    assert len(names(namespace)) == 1


async def test_history_that_is_too_old_is_no_reason_to_stop(
    cluster: KubeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    requested = RequestedPositions()
    await catch_up(cluster, requested, 1)
    assert "no history" in caplog.text
