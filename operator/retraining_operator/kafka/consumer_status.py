"""The status of the consumer: what other threads may ask, and the log lines about its changes."""

from __future__ import annotations

import logging
import time

from retraining_operator.kafka.consumer_problem import STARTING, ConsumerProblem, ProblemLog
from retraining_operator.kafka.errors import classify, explain
from retraining_operator.settings import Kafka

logger = logging.getLogger(__name__)


class ConsumerStatus:
    """Written by the consumer's thread, read by others.

    Args:
        settings: The brokers, the topic and the group, for messages.
    """

    def __init__(self, settings: Kafka) -> None:
        self._settings = settings
        self._problem_log = ProblemLog()
        self._problem: ConsumerProblem | None = STARTING
        self.is_consuming = False
        self.last_poll_at: float | None = None
        """When all partitions were last read, in seconds since 1970; None if never."""
        self.polled_at: float | None = None
        """When the thread was last active, in seconds of the monotonic clock.

        It does not change while the thread hangs. None if no thread has to be active.
        """

    def start(self) -> None:
        """Reset the status at the start of consuming."""
        self._problem = STARTING
        self._problem_log = ProblemLog()

    def stop(self) -> None:
        """Reset the status at the end of consuming."""
        self.is_consuming = False
        self.last_poll_at = None

    def touch(self) -> None:
        """Record that the thread is active."""
        self.polled_at = time.monotonic()

    def describe_problem(self) -> str | None:
        """Return why records are not read; None if they are, or will be once this replica leads."""
        return self._format(self._problem) if self._problem else None

    def report_error(
        self, error: BaseException, *, prefix: str = "", is_certain: bool = False
    ) -> None:
        """Update the status after an error.

        Args:
            error: The error.
            prefix: Text before the explanation of the error.
            is_certain: Whether to log it at once, without a grace period.
        """
        message = f"{prefix}{explain(error)}"
        self.report(ConsumerProblem(classify(error).reason, message, is_certain))

    def report(self, problem: ConsumerProblem | None, partitions: int | None = None) -> None:
        """Update the status and log it if it has changed.

        Args:
            problem: The problem, or None if records are read.
            partitions: How many partitions are assigned; None while not in the group.
        """
        has_changed = self._problem_log.update(problem, time.monotonic())
        self._problem = problem
        if problem is not None:
            self.is_consuming = False
            if has_changed:
                logger.warning("%s", self._format(problem))
        elif has_changed and partitions is not None:
            logger.info(
                "Consuming the topic %s at %s as group %s: %d partition(s).",
                self._settings.topic,
                self._settings.bootstrap_servers,
                self._settings.group_id,
                partitions,
            )

    def _format(self, problem: ConsumerProblem) -> str:
        return (
            f"Not consuming the topic {self._settings.topic} at {self._settings.bootstrap_servers} "
            f"(kafka.bootstrapServers) as group {self._settings.group_id}: {problem.message}"
        )
