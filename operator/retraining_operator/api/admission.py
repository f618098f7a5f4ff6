"""The policy's answers about one request. Made by `policy`, turned into steps by `plan`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest


@dataclass(frozen=True)
class Allow:
    """It may start."""


@dataclass(frozen=True)
class Wait:
    """It may not start yet."""

    reason: ConditionReason
    message: str
    until: datetime | None = None
    """When to ask again; None where only a change elsewhere can let it start."""


@dataclass(frozen=True)
class Merge:
    """An older request that waits does its work as well."""

    into: RetrainRequest

    reason = ConditionReason.MERGED

    @property
    def message(self) -> str:
        """Say what became of it."""
        return f"The request {self.into.name} waited already and has taken this one in (triggers.coalesce)."


@dataclass(frozen=True)
class Refuse:
    """It will never start."""

    reason: ConditionReason
    message: str


Admission = Allow | Wait | Merge | Refuse
