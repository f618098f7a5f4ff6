"""Which of the operator's writes go first: what makes a trigger safe or starts its Job, before what only tells of it.

In a burst every write waits for the same thing, this process' own processor. The intake and the
launches say when they are at work; reports of how a request stands give way meanwhile, for a few
seconds at most. They are planned again afterwards, so what is written then is the newest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 5.0
"""How long reports give way at most; then they go beside the others."""
LINGER_SECONDS = 0.05
"""How long after the last of those that go first the next one may still come: a batch's offsets are committed then."""


class WritePriority:
    """Who is at work that goes first, and since when the others have given way."""

    def __init__(
        self, at_rest: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with nobody.

        Args:
            at_rest: called whenever the last of those that go first is done.
            clock: monotonic, in seconds.
        """
        self._at_rest = at_rest
        self._clock = clock
        self._at_work = 0
        self._since = self._until = -PATIENCE_SECONDS

    @contextmanager
    def first(self) -> Iterator[None]:
        """Go first while inside."""
        if self._clock() > self._until and not self._at_work:
            self._since = self._clock()
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._until = self._clock() + LINGER_SECONDS
                self._at_rest()

    def wait_seconds(self) -> float:
        """Give how long the others give way if nobody else comes; 0 where they need not."""
        now = self._clock()
        patience = self._since + PATIENCE_SECONDS - now
        return max(0.0, patience if self._at_work else min(patience, self._until - now))
