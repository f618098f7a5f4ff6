"""Liveness and readiness of a replica."""

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from retraining_operator.controller.replica import SILENT_SECONDS, Replica
from retraining_operator.watch.cache import ClusterCache


class ReplicaParts:
    """A healthy replica, and its parts."""

    def __init__(self) -> None:
        now = time.monotonic()
        self.cache = ClusterCache()
        self.consumer = SimpleNamespace(polled_at=now, describe_problem=lambda: None)
        self.reconciler = SimpleNamespace(planned_at=now)
        self.elector = SimpleNamespace(tried_at=now, is_leading=True, holder="me")
        self.replica = Replica(
            cache=self.cache,
            resynchronizer=cast("Any", None),
            reconciler=cast("Any", self.reconciler),
            consumer=cast("Any", self.consumer),
            elector=cast("Any", self.elector),
            intake=cast("Any", SimpleNamespace()),
            approval_policy=cast("Any", SimpleNamespace()),
        )
        self.replica._is_populated = self.replica.is_acting = True


@pytest.fixture
def parts() -> ReplicaParts:
    return ReplicaParts()


LONG_AGO = time.monotonic() - SILENT_SECONDS - 60


def test_healthy_leader_is_live_and_ready(parts: ReplicaParts) -> None:
    assert parts.replica.check_liveness() is None
    assert parts.replica.check_readiness() is None


def test_standby_that_knows_the_leader_and_has_reached_kafka_is_ready(parts: ReplicaParts) -> None:
    parts.elector.is_leading, parts.elector.holder = False, "another"
    assert parts.replica.check_readiness() is None
    parts.consumer.describe_problem = lambda: "Kafka has not answered yet"
    assert "Kafka" in (parts.replica.check_readiness() or "")


def test_not_ready_before_a_leader_is_known(parts: ReplicaParts) -> None:
    parts.elector.is_leading, parts.elector.holder = False, ""
    assert "leader" in (parts.replica.check_readiness() or "")


def test_not_ready_before_the_crd_is_installed(parts: ReplicaParts) -> None:
    parts.replica._is_populated = False
    assert "listed" in (parts.replica.check_readiness() or "")


def test_hanging_consumer_of_a_leader_is_detected(parts: ReplicaParts) -> None:
    parts.consumer.polled_at = LONG_AGO
    assert "Kafka" in (parts.replica.check_liveness() or "")
    parts.replica.is_acting = False
    assert parts.replica.check_liveness() is None


def test_hanging_election_is_detected(parts: ReplicaParts) -> None:
    parts.elector.tried_at = LONG_AGO
    assert "Lease" in (parts.replica.check_liveness() or "")


def test_hanging_reconciler_with_work_to_do_is_detected(parts: ReplicaParts) -> None:
    parts.reconciler.planned_at = LONG_AGO
    assert parts.replica.check_liveness() is None
    parts.cache.changed.set()
    assert "reconciler" in (parts.replica.check_liveness() or "")


def test_dead_watch_is_detected(parts: ReplicaParts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        parts.cache.watch_health, "describe_problem", lambda: "the watch of jobs is dead"
    )
    assert parts.replica.check_liveness() == "the watch of jobs is dead"
