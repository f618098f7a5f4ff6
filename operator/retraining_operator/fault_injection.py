"""Named points at which a test stops the operator, to check what survives.

It is off unless CRASH_POINTS is set: a probability for all points, such as `0.01`, or one for each
named point, such as `job-created=0.5,launching=0.1`. The process exits without any cleanup, as
after SIGKILL. The signal itself would have no effect: in its container the operator is process 1,
which the kernel does not allow to kill itself.
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
"""The exit code that Kubernetes shows for a container that received SIGKILL."""

logger = logging.getLogger(__name__)


class Point(StrEnum):
    """Between which two writes the operator stops."""

    RECORDS_TAKEN = "records-taken"
    """Records were read from Kafka and are not handled."""
    REQUEST_CREATED = "request-created"
    """The RetrainRequest of a record exists, and its offset is not handled."""
    RECORDS_HANDLED = "records-handled"
    """A batch is handled, and the handled offsets are not stored."""
    OFFSETS_WRITTEN = "offsets-written"
    """The handled offsets are stored, and no offset is committed to Kafka."""
    LAUNCHING = "launching"
    """The status says that a Job is being created, and the Job does not exist."""
    JOB_CREATED = "job-created"
    """The Job exists, and the status does not say so."""
    JOB_ENDED = "job-ended"
    """A Job has ended, and its outcome is not stored."""
    OUTCOME_RECORDED = "outcome-recorded"
    """The outcome is in the database and not in the status."""
    OUTCOME_STORED = "outcome-stored"
    """The outcome is in the status, and the Job's time to live is not set."""


class FaultInjection:
    """Stops the process at some of the points.

    Args:
        probabilities: For each point, the probability that the process stops there.
        random: The source of randomness.
    """

    def __init__(self, probabilities: Mapping[Point, float], random: Random) -> None:
        self._probabilities = probabilities
        self._random = random

    @classmethod
    def disabled(cls) -> FaultInjection:
        """Build an object that never stops the process."""
        return cls({}, Random())  # noqa: S311  # not used for secrets

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> FaultInjection:
        """Read the probabilities from the environment.

        Raises:
            SettingsError: If a probability is not a number or a point does not exist.
        """
        try:
            return cls._parse(environment.get(VARIABLE, "").strip())
        except ValueError as error:
            raise SettingsError(f"The setting {VARIABLE} is wrong: {error}.") from None

    @classmethod
    def _parse(cls, text: str) -> FaultInjection:
        # No seed, because with a fixed seed each restarted process would stop at the same point.
        random = Random()  # noqa: S311  # not used for secrets
        if not text:
            return cls({}, random)
        if "=" not in text:
            return cls(dict.fromkeys(Point, float(text)), random)
        pairs = (pair.partition("=") for pair in text.split(","))
        return cls({Point(name.strip()): float(value) for name, _, value in pairs}, random)

    def reach(self, point: Point) -> None:
        """Stop the process at this point with the point's probability."""
        if self._probabilities and self._random.random() < self._probabilities.get(point, 0.0):
            logger.critical("Stopping at the point %s, as %s requests.", point, VARIABLE)
            os._exit(EXIT_KILLED)
