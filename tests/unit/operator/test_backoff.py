"""A request whose step has failed waits for its time, or for the version that a write has met."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.controller.backoff import BACKOFF_SECONDS, STALE_SECONDS, Backoff
from tests.unit.operator.clock import Clock


@pytest.fixture
def retrain(request_body: Callable[..., dict[str, Any]]) -> RetrainRequest:
    return read_request(request_body())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backoff(clock: Clock) -> Backoff:
    return Backoff(clock)


def test_nothing_waits_at_first(backoff: Backoff, retrain: RetrainRequest) -> None:
    assert not backoff.is_waiting(retrain)
    assert backoff.remaining_seconds({retrain.uid}) == []


def test_conflict_waits_for_a_newer_version(backoff: Backoff, retrain: RetrainRequest) -> None:
    backoff.wait_for_newer_version(retrain)
    assert backoff.is_waiting(retrain)
    assert not backoff.is_waiting(replace(retrain, resource_version=retrain.resource_version + 1))


def test_conflict_is_tried_again_where_the_watch_brings_nothing(
    backoff: Backoff, retrain: RetrainRequest, clock: Clock
) -> None:
    backoff.wait_for_newer_version(retrain)
    assert backoff.remaining_seconds({retrain.uid}) == [STALE_SECONDS]
    clock.now += STALE_SECONDS
    assert not backoff.is_waiting(retrain)


def test_refusal_waits_whatever_else_changes(
    backoff: Backoff, retrain: RetrainRequest, clock: Clock
) -> None:
    backoff.wait(retrain, 30)
    assert backoff.is_waiting(replace(retrain, resource_version=retrain.resource_version + 1))
    clock.now += 30
    assert not backoff.is_waiting(retrain)


def test_failures_in_a_row_wait_longer_and_a_success_starts_over(
    backoff: Backoff, retrain: RetrainRequest
) -> None:
    assert [backoff.wait_longer(retrain) for _ in range(6)] == [
        *BACKOFF_SECONDS,
        BACKOFF_SECONDS[-1],
    ]
    backoff.reset(retrain)
    assert not backoff.is_waiting(retrain)
    assert backoff.wait_longer(retrain) == BACKOFF_SECONDS[0]


def test_request_that_is_gone_wakes_nobody(backoff: Backoff, retrain: RetrainRequest) -> None:
    backoff.wait(retrain, 30)
    assert backoff.remaining_seconds(set[str]()) == []
