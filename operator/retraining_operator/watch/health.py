"""Whether the watch is alive: every object that is known to exist must have come through it as well, within a time.

Told by the view of each version that a list or a write's answer has shown, by the elector of the
Lease's, and by the handlers of what the watch has brought. The Lease changes every few seconds, so
that there is always something to come back; a change of the other kinds that their own watch misses
shows in the next write or list. Resource versions grow, so of each kind one number is enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

BACK_SECONDS = 30
"""The watch brings a change within milliseconds, and is opened again within a few seconds where it broke."""


@dataclass
class Stream:
    """One kind's watch."""

    known: int = 0
    """The newest version that is known to exist."""
    brought: int = 0
    """The newest version that the watch has brought."""
    awaited: int | None = None
    """A version that it has yet to bring; only once it has, a newer one is awaited."""
    since: float = 0.0


class WatchHealth:
    """Compares what exists with what the watch has brought."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self._answered_at = 0.0
        """When the API server last answered: while it is away no watch is to blame."""

    def exists(self, kind: str, version: int) -> None:
        """Take in that the API server has stored this version."""
        stream = self._streams.setdefault(kind, Stream())
        self._answered_at = self._clock()
        stream.known = max(stream.known, version)
        if stream.awaited is None:
            self._await(stream)

    def came_back(self, kind: str, version: int) -> None:
        """Take in what the watch has brought."""
        stream = self._streams.setdefault(kind, Stream())
        stream.brought = max(stream.brought, version)
        if stream.awaited is not None and stream.brought >= stream.awaited:
            self._await(stream)

    def _await(self, stream: Stream) -> None:
        stream.awaited = stream.known if stream.known > stream.brought else None
        stream.since = self._clock()

    def trouble(self) -> str | None:
        """Say which watch is dead: the API server has answered for a while and the watch has brought nothing."""
        for kind, stream in self._streams.items():
            silence = self._answered_at - stream.since
            if stream.awaited is not None and silence > BACK_SECONDS:
                return (
                    f"the watch of {kind} has not delivered a change "
                    f"(version {stream.awaited}) for {silence:.0f} s"
                )
        return None
