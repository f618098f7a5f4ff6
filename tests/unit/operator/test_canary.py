"""A watch is dead where the API server answers and the watch does not bring what exists; else it is not."""

import pytest

from retraining_operator.watch.health import BACK_SECONDS, WatchHealth
from tests.unit.operator.clock import Clock

LATE = BACK_SECONDS + 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def canary(clock: Clock) -> WatchHealth:
    return WatchHealth(clock)


def test_change_that_does_not_come_back_is_noticed(canary: WatchHealth, clock: Clock) -> None:
    canary.exists("jobs", 5)
    clock.now += LATE
    canary.exists("leases", 6)  # the API server still answers
    assert "the watch of jobs" in (canary.trouble() or "")


def test_change_that_came_back_is_none(canary: WatchHealth, clock: Clock) -> None:
    canary.exists("jobs", 5)
    canary.came_back("jobs", 5)
    clock.now += LATE
    canary.exists("leases", 6)
    assert canary.trouble() is None


def test_change_that_came_back_before_its_write_was_answered_is_none(
    canary: WatchHealth, clock: Clock
) -> None:
    canary.came_back("jobs", 5)
    canary.exists("jobs", 5)
    clock.now += LATE
    canary.exists("leases", 6)
    assert canary.trouble() is None


def test_one_watch_s_word_does_not_count_for_another(canary: WatchHealth, clock: Clock) -> None:
    canary.exists("jobs", 5)
    canary.came_back("retrainrequests", 9)
    clock.now += LATE
    canary.exists("leases", 10)
    assert "jobs" in (canary.trouble() or "")


def test_api_server_that_is_away_is_no_dead_watch(canary: WatchHealth, clock: Clock) -> None:
    canary.exists("jobs", 5)
    clock.now += 10 * LATE
    assert canary.trouble() is None


def test_busy_watch_that_is_always_a_little_behind_is_alive(
    canary: WatchHealth, clock: Clock
) -> None:
    for version in range(2, 1000):
        canary.exists("jobs", version)
        clock.now += 1
        canary.came_back("jobs", version - 1)
        assert canary.trouble() is None


def test_watch_that_dies_in_the_midst_is_noticed(canary: WatchHealth, clock: Clock) -> None:
    for version in range(2, 50):
        canary.exists("jobs", version)
        canary.came_back("jobs", version)
    for version in range(50, 50 + LATE + 1):
        canary.exists("jobs", version)
        clock.now += 1
    assert "version 50" in (canary.trouble() or "")


def test_watch_that_is_opened_again_is_alive(canary: WatchHealth, clock: Clock) -> None:
    canary.exists("jobs", 5)
    clock.now += LATE
    canary.exists("jobs", 6)
    assert canary.trouble()
    canary.came_back("jobs", 6)
    assert canary.trouble() is None
