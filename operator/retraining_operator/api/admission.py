"""The answers of the trigger policy for one request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest


@dataclass(frozen=True)
class Allow:
    """The request may start."""


@dataclass(frozen=True)
class Wait:
    """The request may not start yet.

    Args:
        reason: Why it waits.
        message: The same as text, with what would let it start.
        until: When to ask again, in UTC; None if only a change elsewhere can let it start.
    """

    reason: ConditionReason
    message: str
    until: datetime | None = None


@dataclass(frozen=True)
class Merge:
    """An older waiting request does the work of this one.

    Args:
        into: The older request.
    """

    into: RetrainRequest

    reason = ConditionReason.MERGED

    @property
    def message(self) -> str:
        """A text for people that names the older request."""
        return f"Merged into the request {self.into.name}, which was waiting (triggers.coalesce)."


@dataclass(frozen=True)
class Refuse:
    """The request will never start.

    Args:
        reason: Why not.
        message: The same as text, with what to do.
    """

    reason: ConditionReason
    message: str


Admission = Allow | Wait | Merge | Refuse
