"""Many records at once: fifty with a place for each, a thousand with the default policy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from retraining_operator.api.record_request import build_request
from retraining_operator.intake.intake import PARALLEL_RECORDS
from retraining_operator.kube.resources import REQUESTS
from tests.bench.operator.place import Place
from tests.bench.operator.process import operator
from tests.bench.operator.records import producing, trigger
from tests.bench.operator.sight import new_jobs, new_requests

FEW = 50
ROUNDS = 3
MANY = 1000
SETTLE_SECONDS = 6
"""In seconds. Kubernetes' own controllers work on fifty Jobs for a while."""


@dataclass(frozen=True)
class Few:
    """Seconds from sending the first record to the last of fifty, median of the rounds."""

    requests: float
    jobs: float


@dataclass(frozen=True)
class Many:
    """Requests created per second, medians of the rounds."""

    ours: float
    bare: float


async def measure_few(place: Place) -> Few:
    """Send fifty records at once, in several rounds."""
    found: list[tuple[float, float]] = []
    with operator(place.config(triggers={"maxConcurrent": 10_000})) as process:
        await asyncio.to_thread(process.wait_until_ready)
        async with (
            producing(place) as producer,
            new_requests(place) as requests,
            new_jobs(place) as jobs,
        ):
            await producer.send()
            await jobs.wait_for(1)
            for number in range(ROUNDS):
                total = FEW * (number + 1) + 1
                began = (await producer.send(FEW))[0].at
                found.append(
                    (await requests.wait_for(total) - began, await jobs.wait_for(total) - began)
                )
                await asyncio.sleep(SETTLE_SECONDS)
    return Few(*(median(side) for side in zip(*found, strict=True)))


async def measure_many(places: Sequence[Place], bare: Place) -> Many:
    """Send a thousand records at once, once per place, with the plain client before and after.

    Args:
        places: One for each round.
        bare: The place of the plain client.

    Returns:
        The rates.
    """
    ours, theirs = [], [await bare_rate(bare, 0)]
    for number, place in enumerate(places, 1):
        ours.append(await our_rate(place))
        theirs.append(await bare_rate(bare, number * MANY))
    return Many(median(ours), median(theirs))


async def our_rate(place: Place) -> float:
    """Measure how fast the operator creates a thousand requests from records."""
    with operator(place.config(triggers={"maxWaiting": 2 * MANY})) as process:
        await asyncio.to_thread(process.wait_until_ready)
        async with producing(place) as producer, new_requests(place) as requests:
            await producer.send()
            await requests.wait_for(1)
            began = (await producer.send(MANY))[0].at
            seconds: float = await requests.wait_for(MANY + 1) - began
            await asyncio.sleep(SETTLE_SECONDS)
    return MANY / seconds


async def bare_rate(place: Place, first: int) -> float:
    """Create a thousand requests with the operator's client, as parallel as the intake does.

    Args:
        place: Namespace and topic.
        first: The number of the first record.

    Returns:
        Requests per second.
    """
    places = asyncio.Semaphore(PARALLEL_RECORDS)

    async def create(offset: int) -> None:
        async with places:
            await place.cluster.create(
                REQUESTS, build_request(trigger(place, offset), place.namespace)
            )

    async with new_requests(place):  # seen by the same watch as the operator's
        began = time.perf_counter()
        await asyncio.gather(
            *(create(offset) for offset in range(10_000 + first, 10_000 + first + MANY))
        )
        return MANY / (time.perf_counter() - began)
