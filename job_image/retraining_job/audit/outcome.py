"""A run's outcome: its result, and what the audit trail keeps beside it.

Made by `retrain`, written by `audit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.contract import Result
    from retraining_job.evaluation.evidence import Evidence


@dataclass(frozen=True)
class RunOutcome:
    """What became of a run."""

    result: Result
    evidence: Evidence | None = None
    """None where nothing was judged, and for the `reference` preset."""
    report: str | None = None
    """The evidence as a page of HTML."""
    decided_by: str | None = None
    """Who approved or rejected the challenger, where a person did and said so."""
    restored_from: int | None = None
    """The version that a rollback put live again."""


def outcome_of(result: Result, evidence: Evidence | None) -> RunOutcome:
    """Put a result and its evidence together, and draw the report."""
    if evidence is None:
        return RunOutcome(result)
    from retraining_job.report import render_report  # noqa: PLC0415  # not every run has evidence

    told = evidence.model_copy(
        update={"promoted": result.promoted, "withheld": result.withheld, "message": result.message}
    )
    return RunOutcome(result, told, render_report(told))
