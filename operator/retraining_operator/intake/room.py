"""Room for further RetrainRequests: how many may wait before records stay in Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from retraining_operator.intake.backpressure import Backpressure, BackpressureReason
from retraining_operator.watch.cache import ClusterCache

POLL_SECONDS = 0.5
"""How often the waiting requests in the cache are counted under backpressure."""


class Room:
    """Counts the requests that wait, and those that are being created.

    Args:
        cache: The requests that exist.
        backpressure: Applied while there is no room.
        max_waiting: How many requests may wait for their Jobs; 0 for no limit.
    """

    def __init__(self, cache: ClusterCache, backpressure: Backpressure, max_waiting: int) -> None:
        self._cache = cache
        self._backpressure = backpressure
        self._max_waiting = max_waiting
        self._creating = 0

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for room, and occupy it within the context, in which one request is created.

        Yields:
            Once.
        """
        if self._is_full():
            message = (
                f"{self._max_waiting} RetrainRequests wait for their Jobs (triggers.maxWaiting)."
            )
            with self._backpressure.apply(BackpressureReason.TOO_MANY_WAITING, message):
                while self._is_full():  # noqa: ASYNC110  # the cache reports no single change
                    await asyncio.sleep(POLL_SECONDS)
        self._creating += 1
        try:
            yield
        finally:
            self._creating -= 1

    def _is_full(self) -> bool:
        free = self._max_waiting - self._creating
        if not self._max_waiting or len(self._cache.requests) < free:  # nothing has to be counted
            return False
        return self._cache.count_waiting() >= free
