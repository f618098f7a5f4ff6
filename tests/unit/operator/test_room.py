"""Records are taken only while fewer requests wait than may wait, counted exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.intake.backpressure import Backpressure, BackpressureReason
from retraining_operator.intake.room import Room
from retraining_operator.watch.cache import ClusterCache

Build = Callable[..., dict[str, Any]]


def cache_of(request_body: Build, waiting: int, suspended: int = 0) -> ClusterCache:
    cache = ClusterCache()
    for number in range(waiting):
        cache.update_request(request_body(f"waiting-{number}"))
    for number in range(suspended):
        cache.update_request(request_body(f"held-{number}", {"suspend": True}))
    return cache


async def take_all(room: Room, records: int, create: Callable[[int], None]) -> list[int]:
    """Reserve room for several records at once. Returns those that got it within some time."""
    taken: list[int] = []

    async def take(number: int) -> None:
        async with room.take():
            await asyncio.sleep(0)  # as a call of the API server
            create(number)
            taken.append(number)

    tasks = [asyncio.create_task(take(number)) for number in range(records)]
    await asyncio.wait(tasks, timeout=0.3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return taken


@pytest.mark.parametrize(
    ("waiting", "suspended", "expected"),
    [
        (0, 0, 20),
        (5, 0, 15),
        (19, 0, 1),
        (20, 0, 0),
        (25, 0, 0),
        (0, 25, 20),  # suspended requests may stay so for ever, so they stop nothing
        (0, 1000, 20),
        (19, 25, 1),
        (20, 25, 0),
    ],
)
async def test_exactly_as_many_records_are_taken_as_there_is_room(
    request_body: Build, waiting: int, suspended: int, expected: int
) -> None:
    cache = cache_of(request_body, waiting, suspended)
    room = Room(cache, Backpressure(), 20)

    def create(number: int) -> None:
        cache.update_request(request_body(f"record-{number}"))

    assert len(await take_all(room, 40, create)) == expected


async def test_requests_of_others_that_come_meanwhile_are_counted(request_body: Build) -> None:
    cache = cache_of(request_body, 0)
    room = Room(cache, Backpressure(), 20)
    async with room.take():
        cache.update_request(request_body("record"))
    for number in range(25):
        cache.update_request(request_body(f"by-hand-{number}"))
    assert await take_all(room, 3, lambda _: None) == []


async def test_room_that_is_given_back_lets_the_next_record_in(request_body: Build) -> None:
    cache, backpressure = cache_of(request_body, 1), Backpressure()
    room = Room(cache, backpressure, 1)
    waiting = asyncio.create_task(take_all(room, 1, lambda _: None))
    await asyncio.sleep(0.01)
    assert backpressure.get_state()[BackpressureReason.TOO_MANY_WAITING]
    cache.update_request(request_body("waiting-0", {"suspend": True}, version=8))
    assert await waiting == []  # it looks again only after a while
    assert await take_all(room, 1, lambda _: None) == [0]
    assert not backpressure.get_state()[BackpressureReason.TOO_MANY_WAITING]


async def test_failed_creation_gives_its_room_back(request_body: Build) -> None:
    room = Room(cache_of(request_body, 0), Backpressure(), 1)
    with pytest.raises(ValueError, match="refused"):
        async with room.take():
            raise ValueError("refused")
    assert await take_all(room, 1, lambda _: None) == [0]


async def test_without_a_limit_there_is_always_room(request_body: Build) -> None:
    room = Room(cache_of(request_body, 50), Backpressure(), 0)
    assert len(await take_all(room, 5, lambda _: None)) == 5
