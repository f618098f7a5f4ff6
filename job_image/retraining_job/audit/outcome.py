"""A run's outcome: its result, and what the audit trail stores beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.contract import Result
    from retraining_job.evaluation.evidence import Evidence


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Args:
        result: The result document.
        evidence: All numbers that led to the verdict, or None if nothing was evaluated or the
            preset is `reference`.
        report: The evidence as an HTML page.
        approval_by: Who approved or rejected the challenger, if the approval names somebody.
        restored_from: The version that a rollback made live again.
    """

    result: Result
    evidence: Evidence | None = None
    report: str | None = None
    approval_by: str | None = None
    restored_from: int | None = None
