"""How long a request waits after a failed step."""

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


def test_request_without_a_failure_does_not_wait(backoff: Backoff, retrain: RetrainRequest) -> None:
    assert not backoff.is_waiting(retrain)
    assert backoff.remaining_seconds({retrain.uid}) == []


def test_conflict_waits_for_a_newer_version(backoff: Backoff, retrain: RetrainRequest) -> None:
    backoff.wait_for_newer_version(retrain)
    assert backoff.is_waiting(retrain)
    assert not backoff.is_waiting(replace(retrain, resource_version=retrain.resource_version + 1))


def test_conflict_is_retried_if_the_watch_delivers_nothing(
    backoff: Backoff, retrain: RetrainRequest, clock: Clock
) -> None:
    backoff.wait_for_newer_version(retrain)
    assert backoff.remaining_seconds({retrain.uid}) == [STALE_SECONDS]
    clock.now += STALE_SECONDS
    assert not backoff.is_waiting(retrain)


def test_newer_version_does_not_end_a_fixed_wait(
    backoff: Backoff, retrain: RetrainRequest, clock: Clock
) -> None:
    backoff.wait(retrain, 30)
    assert backoff.is_waiting(replace(retrain, resource_version=retrain.resource_version + 1))
    clock.now += 30
    assert not backoff.is_waiting(retrain)


def test_wait_grows_with_each_failure_and_is_reset_by_success(
    backoff: Backoff, retrain: RetrainRequest
) -> None:
    assert [backoff.wait_longer(retrain) for _ in range(6)] == [
        *BACKOFF_SECONDS,
        BACKOFF_SECONDS[-1],
    ]
    backoff.reset(retrain)
    assert not backoff.is_waiting(retrain)
    assert backoff.wait_longer(retrain) == BACKOFF_SECONDS[0]


def test_deleted_request_has_no_remaining_wait(backoff: Backoff, retrain: RetrainRequest) -> None:
    backoff.wait(retrain, 30)
    assert backoff.remaining_seconds(set[str]()) == []
