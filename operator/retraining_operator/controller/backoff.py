"""How long a request waits after a failed step before the next try."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import NamedTuple

from retraining_operator.api.request import RetrainRequest

BACKOFF_SECONDS = (0.5, 1, 2, 5, 10)
"""Wait after the first, second, ... failure in a row of one request's steps."""
REFUSED_SECONDS = 30
"""Wait before a call is repeated that a quota or a missing right has rejected."""
STALE_SECONDS = 1.0
"""How long the watch may take to bring the newer version after a conflict."""


class Delay(NamedTuple):
    """Until when a request's steps wait."""

    until: float
    """Time of the backoff's clock, in seconds."""
    stale_version: int | None = None
    """The resource version of a write that met a conflict. A newer version ends the wait."""


class Backoff:
    """Stores for each request with a failed step until when it waits.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._delays: dict[str, Delay] = {}
        self._failures: dict[str, int] = {}

    def is_waiting(self, request: RetrainRequest) -> bool:
        """Return whether a request still has to wait."""
        delay = self._delays.get(request.uid)
        return (
            delay is not None
            and self._clock() < delay.until
            and delay.stale_version in {None, request.resource_version}
        )

    def remaining_seconds(self, uids: Container[str]) -> list[float]:
        """Return the remaining wait of each of these requests that waits, in seconds.

        A newer version of a request may end its wait earlier.
        """
        now = self._clock()
        return [
            delay.until - now
            for uid, delay in self._delays.items()
            if delay.until > now and uid in uids
        ]

    def wait_longer(self, request: RetrainRequest) -> float:
        """Make a request wait longer with each failure in a row; returns the wait in seconds."""
        failures = self._failures.get(request.uid, 0)
        self._failures[request.uid] = failures + 1
        seconds = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
        self.wait(request, seconds)
        return seconds

    def wait_for_newer_version(self, request: RetrainRequest) -> None:
        """Make a request wait until the watch brings a newer version, for at most STALE_SECONDS."""
        self._delays[request.uid] = Delay(self._clock() + STALE_SECONDS, request.resource_version)

    def wait(self, request: RetrainRequest, seconds: float) -> None:
        """Make a request wait.

        Args:
            request: The request.
            seconds: For how long.
        """
        self._delays[request.uid] = Delay(self._clock() + seconds)

    def reset(self, request: RetrainRequest) -> None:
        """Remove a request's wait and its count of failures."""
        self._delays.pop(request.uid, None)
        self._failures.pop(request.uid, None)
