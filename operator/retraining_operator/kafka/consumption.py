"""Whether records are really read, and if not, why: one sentence for the log when it changes and for `/ready`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

GRACE_SECONDS = 3.0
"""How long a trouble has to last before it is logged: members come and go, and leaders move."""


@dataclass(frozen=True)
class ConsumerProblem:
    """Why nothing, or not everything, is read."""

    reason: str
    sentence: str
    is_certain: bool = False
    """Whether it is worth a log line at once."""


STARTING = ConsumerProblem("Starting", "Kafka has not answered yet")


@dataclass
class Journal:
    """Decides which changes of the state are worth a line; each trouble is told once until records are read again."""

    told: set[str] = field(default_factory=set)
    since: dict[str, float] = field(default_factory=dict)
    is_consuming: bool = False

    def note(self, trouble: ConsumerProblem | None, now: float) -> bool:
        """Update the present state.

        Args:
            trouble: None if records are read.
            now: By the monotonic clock.

        Returns:
            Whether this is a change to log.
        """
        if trouble is None:
            is_news = not self.is_consuming or bool(self.told)
            self.is_consuming = True
            self.told.clear()
            self.since.clear()
            return is_news
        self.since = {trouble.reason: self.since.get(trouble.reason, now)}
        is_lasting = trouble.is_certain or now - self.since[trouble.reason] >= GRACE_SECONDS
        if not is_lasting or trouble.reason in self.told:
            return False
        self.told.add(trouble.reason)
        self.is_consuming = False
        return True
