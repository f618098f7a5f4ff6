"""Which requests' steps wait before they are tried again, and for how long.

Kept and asked by the reconciler.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from retraining_operator.api.request import RetrainRequest

AWAY_SECONDS = (0.5, 1, 2, 5, 10)
"""How long after the first, second, ... failure in a row of one request's steps."""
REFUSED_SECONDS = 30
"""How long before asking again for what a quota or a missing right has refused."""
STALE_SECONDS = 1.0
"""How long the watch has to bring the newer version that a write has met."""


class Pause(NamedTuple):
    """Why a request's steps wait."""

    until: float
    """By the clock."""
    stale: int | None = None
    """The resource version that a write was refused for: once another one is known, the pause is over."""


class Backoff:
    """A pause for each request whose last step has failed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none.

        Args:
            clock: monotonic, in seconds.
        """
        self._clock = clock
        self._backoff: dict[str, Pause] = {}
        self._failures: dict[str, int] = {}

    def hold(self, request: RetrainRequest) -> bool:
        """Tell whether a request has to wait still."""
        pause = self._backoff.get(request.uid)
        return (
            pause is not None
            and self._clock() < pause.until
            and pause.stale in {None, request.resource_version}
        )

    def seconds_left(self, uids: Container[str]) -> Iterator[float]:
        """Give how long each of these requests that waits has to wait at most."""
        now = self._clock()
        for uid, pause in self._backoff.items():
            if pause.until > now and uid in uids:
                yield pause.until - now

    def away(self, request: RetrainRequest) -> float:
        """Let a request wait longer with each failure in a row; give the seconds."""
        failures = self._failures.get(request.uid, 0)
        self._failures[request.uid] = failures + 1
        seconds = AWAY_SECONDS[min(failures, len(AWAY_SECONDS) - 1)]
        self.wait(request, seconds)
        return seconds

    def stale(self, request: RetrainRequest) -> None:
        """Let a request wait until the watch has brought a newer version of it than this one."""
        self._backoff[request.uid] = Pause(self._clock() + STALE_SECONDS, request.resource_version)

    def wait(self, request: RetrainRequest, seconds: float) -> None:
        """Let a request wait."""
        self._backoff[request.uid] = Pause(self._clock() + seconds)

    def end(self, request: RetrainRequest) -> None:
        """Begin anew with a request: its step has succeeded, or it is gone."""
        self._backoff.pop(request.uid, None)
        self._failures.pop(request.uid, None)
