"""A request whose step has failed waits for its time, or for the version that a write has met."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.controller.backoff import AWAY_SECONDS, STALE_SECONDS, Backoff
from tests.unit.operator.clock import Clock


@pytest.fixture
def retrain(request_body: Callable[..., dict[str, Any]]) -> RetrainRequest:
    return read_request(request_body())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pauses(clock: Clock) -> Backoff:
    return Backoff(clock)


def test_nothing_waits_at_first(pauses: Backoff, retrain: RetrainRequest) -> None:
    assert not pauses.hold(retrain)
    assert [*pauses.seconds_left({retrain.uid})] == []


def test_conflict_waits_for_a_newer_version(pauses: Backoff, retrain: RetrainRequest) -> None:
    pauses.stale(retrain)
    assert pauses.hold(retrain)
    assert not pauses.hold(replace(retrain, resource_version=retrain.resource_version + 1))


def test_conflict_is_tried_again_where_the_watch_brings_nothing(
    pauses: Backoff, retrain: RetrainRequest, clock: Clock
) -> None:
    pauses.stale(retrain)
    assert [*pauses.seconds_left({retrain.uid})] == [STALE_SECONDS]
    clock.now += STALE_SECONDS
    assert not pauses.hold(retrain)


def test_refusal_waits_whatever_else_changes(
    pauses: Backoff, retrain: RetrainRequest, clock: Clock
) -> None:
    pauses.wait(retrain, 30)
    assert pauses.hold(replace(retrain, resource_version=retrain.resource_version + 1))
    clock.now += 30
    assert not pauses.hold(retrain)


def test_failures_in_a_row_wait_longer_and_a_success_begins_anew(
    pauses: Backoff, retrain: RetrainRequest
) -> None:
    assert [pauses.away(retrain) for _ in range(6)] == [*AWAY_SECONDS, AWAY_SECONDS[-1]]
    pauses.end(retrain)
    assert not pauses.hold(retrain)
    assert pauses.away(retrain) == AWAY_SECONDS[0]


def test_request_that_is_gone_wakes_nobody(pauses: Backoff, retrain: RetrainRequest) -> None:
    pauses.wait(retrain, 30)
    assert [*pauses.seconds_left(set[str]())] == []
