"""Detects a watch that no longer delivers events.

Each version that is known to exist must also come through the watch within MAX_DELAY_SECONDS. The
Lease changes every few seconds, so there is always something to expect. A missed change of another
kind is noticed at the next write or list. Resource versions grow, so one number for each kind is
enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_DELAY_SECONDS = 30
"""The watch delivers a change within milliseconds, and is reopened within a few seconds."""


@dataclass
class WatchState:
    """The state of one kind's watch."""

    known: int = 0
    """The newest version that is known to exist."""
    delivered: int = 0
    """The newest version that the watch has delivered."""
    expected: int | None = None
    """A version that the watch has not delivered yet. A newer one is expected only after it."""
    since: float = 0.0
    """When `expected` was set, by the monotonic clock in seconds."""


class WatchHealth:
    """Compares the versions that exist with those that the watch has delivered.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._watches: dict[str, WatchState] = {}
        self._answered_at = 0.0
        """When the API server last answered. While it is unavailable no watch is at fault."""

    def expect_version(self, kind: str, version: int) -> None:
        """Record a version that the API server has stored.

        Args:
            kind: The plural of the object's kind.
            version: The resource version.
        """
        watch = self._watches.setdefault(kind, WatchState())
        self._answered_at = self._clock()
        watch.known = max(watch.known, version)
        if watch.expected is None:
            self._expect_newest(watch)

    def record_delivery(self, kind: str, version: int) -> None:
        """Record a version that the watch has delivered.

        Args:
            kind: The plural of the object's kind.
            version: The resource version.
        """
        watch = self._watches.setdefault(kind, WatchState())
        watch.delivered = max(watch.delivered, version)
        if watch.expected is not None and watch.delivered >= watch.expected:
            self._expect_newest(watch)

    def _expect_newest(self, watch: WatchState) -> None:
        watch.expected = watch.known if watch.known > watch.delivered else None
        watch.since = self._clock()

    def describe_problem(self) -> str | None:
        """Return which watch delivers nothing although the API server answers, or None."""
        for kind, watch in self._watches.items():
            silence = self._answered_at - watch.since
            if watch.expected is not None and silence > MAX_DELAY_SECONDS:
                return (
                    f"the watch of {kind} has not delivered a change "
                    f"(version {watch.expected}) for {silence:.0f} s"
                )
        return None
