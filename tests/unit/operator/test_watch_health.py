"""Detection of a watch that no longer delivers events."""

import pytest

from retraining_operator.watch.health import MAX_DELAY_SECONDS, WatchHealth
from tests.unit.operator.clock import Clock

LATE = MAX_DELAY_SECONDS + 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch_health(clock: Clock) -> WatchHealth:
    return WatchHealth(clock)


def test_undelivered_change_is_detected(watch_health: WatchHealth, clock: Clock) -> None:
    watch_health.expect_version("jobs", 5)
    clock.now += LATE
    watch_health.expect_version("leases", 6)  # the API server still answers
    assert "the watch of jobs" in (watch_health.describe_problem() or "")


def test_delivered_change_is_healthy(watch_health: WatchHealth, clock: Clock) -> None:
    watch_health.expect_version("jobs", 5)
    watch_health.record_delivery("jobs", 5)
    clock.now += LATE
    watch_health.expect_version("leases", 6)
    assert watch_health.describe_problem() is None


def test_delivery_before_the_answer_of_the_write_is_healthy(
    watch_health: WatchHealth, clock: Clock
) -> None:
    watch_health.record_delivery("jobs", 5)
    watch_health.expect_version("jobs", 5)
    clock.now += LATE
    watch_health.expect_version("leases", 6)
    assert watch_health.describe_problem() is None


def test_delivery_of_one_kind_does_not_count_for_another(
    watch_health: WatchHealth, clock: Clock
) -> None:
    watch_health.expect_version("jobs", 5)
    watch_health.record_delivery("retrainrequests", 9)
    clock.now += LATE
    watch_health.expect_version("leases", 10)
    assert "jobs" in (watch_health.describe_problem() or "")


def test_unavailable_api_server_is_not_a_dead_watch(
    watch_health: WatchHealth, clock: Clock
) -> None:
    watch_health.expect_version("jobs", 5)
    clock.now += 10 * LATE
    assert watch_health.describe_problem() is None


def test_busy_watch_with_a_constant_delay_is_healthy(
    watch_health: WatchHealth, clock: Clock
) -> None:
    for version in range(2, 1000):
        watch_health.expect_version("jobs", version)
        clock.now += 1
        watch_health.record_delivery("jobs", version - 1)
        assert watch_health.describe_problem() is None


def test_watch_that_stops_after_deliveries_is_detected(
    watch_health: WatchHealth, clock: Clock
) -> None:
    for version in range(2, 50):
        watch_health.expect_version("jobs", version)
        watch_health.record_delivery("jobs", version)
    for version in range(50, 50 + LATE + 1):
        watch_health.expect_version("jobs", version)
        clock.now += 1
    assert "version 50" in (watch_health.describe_problem() or "")


def test_reopened_watch_is_healthy(watch_health: WatchHealth, clock: Clock) -> None:
    watch_health.expect_version("jobs", 5)
    clock.now += LATE
    watch_health.expect_version("jobs", 6)
    assert watch_health.describe_problem()
    watch_health.record_delivery("jobs", 6)
    assert watch_health.describe_problem() is None
