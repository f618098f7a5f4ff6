"""Reports give way to what makes triggers safe and starts Jobs, and not for ever."""

import pytest

from retraining_operator.priority import LINGER_SECONDS, MAX_WAIT_SECONDS, WritePriority
from tests.unit.operator.clock import Clock


class Rests(Clock):
    """Counts as well how often everybody who goes first was done."""

    count = 0

    def rest(self) -> None:
        self.count += 1


def build() -> tuple[Rests, WritePriority]:
    clock = Rests()
    return clock, WritePriority(clock.rest, clock)


def test_nobody_waits_at_the_start() -> None:
    _, priority = build()
    assert priority.compute_wait() == 0


def test_reports_wait_while_a_launch_is_at_work_and_a_moment_longer() -> None:
    clock, priority = build()
    with priority.claim():
        assert priority.compute_wait() == MAX_WAIT_SECONDS
        clock.now += 1
        assert priority.compute_wait() == MAX_WAIT_SECONDS - 1
    assert 0 < priority.compute_wait() <= LINGER_SECONDS
    clock.now += LINGER_SECONDS
    assert priority.compute_wait() == 0


def test_only_the_last_one_s_end_wakes_the_others() -> None:
    clock, priority = build()
    with priority.claim():
        with priority.claim():
            pass
        assert (clock.count, priority.compute_wait()) == (0, MAX_WAIT_SECONDS)
    assert clock.count == 1


def test_patience_ends_though_the_work_does_not() -> None:
    clock, priority = build()
    with priority.claim():
        clock.now += MAX_WAIT_SECONDS
        assert priority.compute_wait() == 0


def test_batches_that_follow_each_other_are_one_stretch_of_work() -> None:
    clock, priority = build()
    for _ in range(100):
        with priority.claim():
            clock.now += MAX_WAIT_SECONDS / 50
        clock.now += LINGER_SECONDS / 2
    assert priority.compute_wait() == 0
    clock.now += 1
    with priority.claim():
        assert priority.compute_wait() == MAX_WAIT_SECONDS


def test_work_that_fails_is_over_as_well() -> None:
    clock, priority = build()
    with pytest.raises(ValueError, match="lost"), priority.claim():
        raise ValueError("lost")
    clock.now += 1
    assert (clock.count, priority.compute_wait()) == (1, 0)
