"""Reports objects of the cluster that the operator ignores, each once."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

logger = logging.getLogger(__name__)

REPORTED_LIMIT = 5000
"""How many objects are remembered as reported."""
EVENTS_LIMIT = 100
"""How many Events wait to be written. Events are best effort."""


class ObjectProblem(StrEnum):
    """Why an object is ignored. Each is a label value of `retraining_skipped_objects_total`."""

    UNREADABLE = "unreadable"
    """A field that identifies it is missing."""
    FOREIGN = "foreign"
    """It claims to belong to a RetrainRequest, but the operator has not created it."""
    DEFECT = "defect"
    """Reading or planning it failed because of a defect of the operator."""


class ProblemReport(NamedTuple):
    """A reported problem of one RetrainRequest, for an Event."""

    request_uid: str
    problem: ObjectProblem
    message: str


def count_nothing(_: ObjectProblem) -> None:
    """Count nothing, in place of a metric."""


class ProblemReporter:
    """Reports each problem once, however often its object is seen.

    Args:
        count: Counts a reported problem.
    """

    def __init__(self, count: Callable[[ObjectProblem], None] = count_nothing) -> None:
        self._count = count
        self._reported: OrderedDict[tuple[ObjectProblem, str], None] = OrderedDict()
        self._events: deque[ProblemReport] = deque(maxlen=EVENTS_LIMIT)

    def report(
        self,
        problem: ObjectProblem,
        key: str,
        message: str,
        *,
        request_uid: str = "",
        error: Exception | None = None,
    ) -> None:
        """Report a problem, unless it was reported before.

        Args:
            problem: Why the object is ignored.
            key: Identifies the object, and its version if a newer one is to be reported again.
            message: What happened, and what to do.
            request_uid: The RetrainRequest that the object is about; empty if none is known.
            error: The cause of a defect, whose traceback is logged.
        """
        if (problem, key) in self._reported:
            return
        self._reported[problem, key] = None
        if len(self._reported) > REPORTED_LIMIT:
            self._reported.popitem(last=False)
        self._count(problem)
        logger.warning("%s", message, exc_info=error)
        if request_uid:
            self._events.append(ProblemReport(request_uid, problem, message))

    def take_events(self) -> list[ProblemReport]:
        """Return the reports for which no Event was written yet, and forget them."""
        events = list(self._events)
        self._events.clear()
        return events
