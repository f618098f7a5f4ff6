"""A watch that records when objects were seen, for both the operator and the floor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from retraining_operator.kube.resources import JOBS, REQUESTS, ResourceKind
from tests.bench.operator.place import Place

Body = dict[str, Any]
WATCH_SECONDS = 3600


class Sight:
    """Objects of one kind by name, with the time when each first had the wanted state."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self._more = asyncio.Event()

    def take(self, name: str) -> None:
        """Record an object in the wanted state."""
        if name not in self.seen:
            self.seen[name] = time.perf_counter()
            self._more.set()

    async def wait_for(self, count: int, seconds: float = 60) -> float:
        """Wait until so many were seen. Returns the time of the last one.

        Args:
            count: The number of objects.
            seconds: The limit in seconds.

        Returns:
            The time, by the performance counter.

        Raises:
            TimeoutError: The text names how many were seen.
        """
        try:
            async with asyncio.timeout(seconds):
                while len(self.seen) < count:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise TimeoutError(f"Saw {len(self.seen)} of {count} within {seconds:.0f} s.") from None
        return sorted(self.seen.values())[count - 1]

    async def wait_for_name(self, name: str, seconds: float = 60) -> float:
        """Wait for one. Returns its time.

        Args:
            name: The object's name.
            seconds: The limit in seconds.

        Returns:
            The time, by the performance counter.
        """
        async with asyncio.timeout(seconds):
            while name not in self.seen:
                self._more.clear()
                await self._more.wait()
        return self.seen[name]


@asynccontextmanager
async def watching(
    place: Place, kind: ResourceKind, name_of: Callable[[Body], str | None]
) -> AsyncIterator[Sight]:
    """Watch a kind. `name_of` returns the name of an object in the wanted state, else None.

    Args:
        place: Namespace and topic.
        kind: The kind.
        name_of: Returns the name of an object in the wanted state, else None.

    Yields:
        What was seen.
    """
    sight = Sight()

    async def look() -> None:
        async with place.cluster.watch(kind, 0, WATCH_SECONDS) as events:
            async for event in events:
                if event["type"] != "DELETED" and (name := name_of(event["object"])):
                    sight.take(name)

    task = asyncio.create_task(look())
    try:
        yield sight
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def own_name(body: Body) -> str:
    """Return the name of every object."""
    return str(body["metadata"]["name"])


def request_of(job: Body) -> str | None:
    """Return the request's name of every Job of a RetrainRequest."""
    name: str | None = (job["metadata"].get("labels") or {}).get("retraining.dev/request")
    return name


def new_requests(place: Place) -> Any:
    """Watch for new RetrainRequests."""
    return watching(place, REQUESTS, own_name)


def new_jobs(place: Place) -> Any:
    """Watch for new Jobs of RetrainRequests."""
    return watching(place, JOBS, request_of)
