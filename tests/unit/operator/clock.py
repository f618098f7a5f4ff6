"""A clock that only moves when a test moves it."""

from __future__ import annotations


class Clock:
    """Seconds that only a test counts."""

    def __init__(self) -> None:
        """Start at any number, because a monotonic clock has no fixed start."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now
