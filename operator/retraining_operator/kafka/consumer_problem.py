"""Why records are not read, and when a change of that is logged."""

from __future__ import annotations

from dataclasses import dataclass, field

GRACE_SECONDS = 3.0
"""How long a problem lasts before it is logged: members join and leave, and leaders move."""


@dataclass(frozen=True)
class ConsumerProblem:
    """Why not all records are read.

    Args:
        reason: The reason in CamelCase.
        message: What has happened and what to do.
        is_certain: Whether to log it at once, without a grace period.
    """

    reason: str
    message: str
    is_certain: bool = False


STARTING = ConsumerProblem("Starting", "Kafka has not answered yet")


@dataclass
class ProblemLog:
    """Decides which changes to log: each problem once until records are read again.

    Args:
        logged: Reasons that were logged.
        since: When the present reason started, in seconds of the monotonic clock.
        is_consuming: Whether the last logged change was that records are read.
    """

    logged: set[str] = field(default_factory=set)
    since: dict[str, float] = field(default_factory=dict)
    is_consuming: bool = False

    def update(self, problem: ConsumerProblem | None, now: float) -> bool:
        """Update the present state.

        Args:
            problem: The problem, or None if records are read.
            now: The time in seconds of the monotonic clock.

        Returns:
            Whether to log this change.
        """
        if problem is None:
            has_changed = not self.is_consuming or bool(self.logged)
            self.is_consuming = True
            self.logged.clear()
            self.since.clear()
            return has_changed
        self.since = {problem.reason: self.since.get(problem.reason, now)}
        is_lasting = problem.is_certain or now - self.since[problem.reason] >= GRACE_SECONDS
        if not is_lasting or problem.reason in self.logged:
            return False
        self.logged.add(problem.reason)
        self.is_consuming = False
        return True
