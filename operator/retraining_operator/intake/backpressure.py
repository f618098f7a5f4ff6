"""Why no records are taken at present: each reason is said once when it begins and once when it ends."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

logger = logging.getLogger(__name__)


class BackpressureReason(StrEnum):
    """The reasons; each is a label's value of `retraining_consumer_held`."""

    API_SERVER = "api_server"
    TOO_MANY_WAITING = "too_many_waiting"
    DEAD_LETTERS = "dead_letters"


class Backpressure:
    """Which reasons hold, and for how many records at once."""

    def __init__(self) -> None:
        self._held: Counter[BackpressureReason] = Counter()

    def state(self) -> dict[str, bool]:
        """Return whether each of the reasons holds."""
        return {reason: self._held[reason] > 0 for reason in BackpressureReason}

    @contextmanager
    def because(self, reason: BackpressureReason, why: str) -> Iterator[None]:
        """Hold while inside; the first to come and the last to go are logged.

        Args:
            reason: counted and shown as a metric.
            why: a sentence for the log.
        """
        if not self._held[reason]:
            logger.warning("%s No further records are taken until this is over; none is lost.", why)
        self._held[reason] += 1
        try:
            yield
        finally:
            self._held[reason] -= 1
        if not self._held[reason]:  # a stop of the process ends no hold
            logger.info("Records are taken again: what held them (%s) is over.", reason)
