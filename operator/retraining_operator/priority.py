"""Prioritizes writes that secure a trigger or start its Job over writes that only inform.

In a burst all writes compete for the processor time of this process. While the intake or a launch
is at work, informative writes wait, but only for a few seconds. They are planned again afterwards,
so they then contain the newest state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_WAIT_SECONDS = 5.0
"""How long informative writes wait at most. After that they run concurrently with the others."""
LINGER_SECONDS = 0.05
"""How long informative writes wait after urgent work. A batch commits its offsets in that time."""


class WritePriority:
    """Knows whether urgent work is running, and since when other writes have waited.

    Args:
        on_idle: Called whenever the last urgent work is done.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, on_idle: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_idle = on_idle
        self._clock = clock
        self._urgent_count = 0
        self._urgent_since = -MAX_WAIT_SECONDS
        """When the present, or the last, period of urgent work started."""
        self._lingers_until = -MAX_WAIT_SECONDS
        """When informative writes may follow the last period of urgent work."""

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Make other writes wait while the context is open."""
        if self._clock() > self._lingers_until and not self._urgent_count:
            self._urgent_since = self._clock()
        self._urgent_count += 1
        try:
            yield
        finally:
            self._urgent_count -= 1
            if not self._urgent_count:
                self._lingers_until = self._clock() + LINGER_SECONDS
                self._on_idle()

    def compute_wait(self) -> float:
        """Return the seconds that informative writes wait if no more urgent work comes, or 0."""
        now = self._clock()
        seconds = self._urgent_since + MAX_WAIT_SECONDS - now
        if not self._urgent_count:
            seconds = min(seconds, self._lingers_until - now)
        return max(0.0, seconds)
