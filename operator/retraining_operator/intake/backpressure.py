"""Backpressure: reasons for which no records are taken. Each is logged at its start and its end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

logger = logging.getLogger(__name__)


class BackpressureReason(StrEnum):
    """The reasons. Each is a label value of `retraining_consumer_held`."""

    API_SERVER = "api_server"
    TOO_MANY_WAITING = "too_many_waiting"
    DEAD_LETTERS = "dead_letters"


class Backpressure:
    """Counts, for each reason, how many records wait for it."""

    def __init__(self) -> None:
        self._waiting: Counter[BackpressureReason] = Counter()

    def get_state(self) -> dict[str, bool]:
        """Return whether records wait, for each reason."""
        return {reason: self._waiting[reason] > 0 for reason in BackpressureReason}

    @contextmanager
    def apply(self, reason: BackpressureReason, message: str) -> Iterator[None]:
        """Apply backpressure within the context. The first start and the last end are logged.

        Args:
            reason: Exported as a metric.
            message: A sentence for the log that says what has happened.

        Yields:
            Once.
        """
        if not self._waiting[reason]:
            logger.warning("%s Reading pauses until this is resolved. No record is lost.", message)
        self._waiting[reason] += 1
        try:
            yield
        finally:
            self._waiting[reason] -= 1
        if not self._waiting[reason]:  # not reached if the process stops
            logger.info("Reading records again. Resolved: %s.", reason)
