"""Informative writes wait for urgent work, but not for ever."""

import pytest

from retraining_operator.priority import LINGER_SECONDS, MAX_WAIT_SECONDS, WritePriority
from tests.unit.operator.clock import Clock


class IdleCounter(Clock):
    """A clock that also counts how often all urgent work was done."""

    count = 0

    def rest(self) -> None:
        self.count += 1


def build() -> tuple[IdleCounter, WritePriority]:
    clock = IdleCounter()
    return clock, WritePriority(clock.rest, clock)


def test_no_wait_without_urgent_work() -> None:
    _, priority = build()
    assert priority.compute_wait() == 0


def test_informative_writes_wait_during_urgent_work_and_shortly_after() -> None:
    clock, priority = build()
    with priority.claim():
        assert priority.compute_wait() == MAX_WAIT_SECONDS
        clock.now += 1
        assert priority.compute_wait() == MAX_WAIT_SECONDS - 1
    assert 0 < priority.compute_wait() <= LINGER_SECONDS
    clock.now += LINGER_SECONDS
    assert priority.compute_wait() == 0


def test_only_the_end_of_the_last_urgent_work_is_signalled() -> None:
    clock, priority = build()
    with priority.claim():
        with priority.claim():
            pass
        assert (clock.count, priority.compute_wait()) == (0, MAX_WAIT_SECONDS)
    assert clock.count == 1


def test_wait_is_limited_even_if_urgent_work_continues() -> None:
    clock, priority = build()
    with priority.claim():
        clock.now += MAX_WAIT_SECONDS
        assert priority.compute_wait() == 0


def test_consecutive_batches_share_one_time_limit() -> None:
    clock, priority = build()
    for _ in range(100):
        with priority.claim():
            clock.now += MAX_WAIT_SECONDS / 50
        clock.now += LINGER_SECONDS / 2
    assert priority.compute_wait() == 0
    clock.now += 1
    with priority.claim():
        assert priority.compute_wait() == MAX_WAIT_SECONDS


def test_failed_work_ends_its_claim() -> None:
    clock, priority = build()
    with pytest.raises(ValueError, match="lost"), priority.claim():
        raise ValueError("lost")
    clock.now += 1
    assert (clock.count, priority.compute_wait()) == (1, 0)
