"""Named points at which the operator may be made to die, so that a test can find out what survives it.

Off unless CRASH_POINTS is set, which is read once, by `__main__`: odds for all points, as `0.01`,
or for each that is named, as `job-created=0.5,launching=0.1`. Nothing is tidied up, as after
SIGKILL. That signal itself would do nothing here: in its container the operator is process 1, and
the kernel lets no process 1 kill itself.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from enum import StrEnum
from random import Random

from retraining_operator.settings import SettingsError

VARIABLE = "CRASH_POINTS"
EXIT_KILLED = 137
"""What Kubernetes shows of a container that got SIGKILL."""

logger = logging.getLogger(__name__)


class Point(StrEnum):
    """Between which two writes the operator dies."""

    RECORDS_TAKEN = "records-taken"
    """Records were read from Kafka, and nothing is done about them."""
    REQUEST_CREATED = "request-created"
    """A record has its RetrainRequest, and nobody was told."""
    RECORDS_HANDLED = "records-handled"
    """A batch is handled, and the ledger does not know."""
    LEDGER_WRITTEN = "ledger-written"
    """The ledger knows, and Kafka does not."""
    LAUNCHING = "launching"
    """It is written down that a Job is being created, and there is none."""
    JOB_CREATED = "job-created"
    """The Job is there, and the status does not say so."""
    JOB_ENDED = "job-ended"
    """A Job has ended, and its outcome is stored nowhere."""
    OUTCOME_RECORDED = "outcome-recorded"
    """The outcome is in the database, and not in the status."""
    OUTCOME_STORED = "outcome-stored"
    """The outcome is in the status, and the Job's time to live is not set."""


class FaultInjection:
    """Dies at some of the points."""

    def __init__(self, odds: Mapping[Point, float], source: Random) -> None:
        self._odds = odds
        self._source = source

    @classmethod
    def off(cls) -> FaultInjection:
        """Never die."""
        return cls({}, Random())  # noqa: S311  # no secret

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> FaultInjection:
        """Read the odds from the environment.

        Raises:
            SettingsError: where they are no odds, or of no such point.
        """
        try:
            return cls._read(environment)
        except ValueError as error:
            raise SettingsError(f"The setting {VARIABLE} is wrong: {error}.") from None

    @classmethod
    def _read(cls, environment: Mapping[str, str]) -> FaultInjection:
        text = environment.get(VARIABLE, "").strip()
        source = Random()  # noqa: S311  # no secret; a seed would let each next process die at the same moment
        if not text:
            return cls({}, source)
        if "=" not in text:
            return cls(dict.fromkeys(Point, float(text)), source)
        pairs = (pair.partition("=") for pair in text.split(","))
        return cls({Point(name.strip()): float(odds) for name, _, odds in pairs}, source)

    def at(self, point: Point) -> None:
        """Die here, if the odds say so."""
        if self._odds and self._source.random() < self._odds.get(point, 0.0):
            logger.critical("Dying at the point %s, as %s asks.", point, VARIABLE)
            os._exit(EXIT_KILLED)
