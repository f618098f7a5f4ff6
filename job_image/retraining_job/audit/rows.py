"""Rows of the audit trail, built from outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from retraining_job.contract import Result, Verdict, VerdictReason, read_row

if TYPE_CHECKING:
    from retraining_job.audit.outcome import RunOutcome
    from retraining_job.settings import AuditSettings


def build_run_row(audit: AuditSettings, outcome: RunOutcome) -> dict[str, Any]:
    """Build the row of `retraining_runs`.

    Args:
        audit: Which run it is, and why it was requested.
        outcome: The outcome of the run.

    Returns:
        Values by column.
    """
    requested = {
        "request": audit.request or None,
        "trigger_reason": audit.trigger_reason,
        "preset": audit.preset,
    }
    return requested | build_outcome_columns(outcome)


def build_outcome_columns(outcome: RunOutcome) -> dict[str, Any]:
    """Build the columns that the outcome of a run determines.

    Optional values that are unknown are left out, so that the upsert does not change the stored
    ones.
    """
    result = outcome.result
    row = {
        "run_id": result.run_id,
        "verdict": result.verdict,
        "promoted": result.promoted,
        "withheld": result.withheld,
        "reason": result.reason,
        "message": result.message,
        "version": result.version,
        "champion_version": result.champion_version,
        "n_samples": result.n_samples,
        "metrics": result.metrics.model_dump(exclude_none=True) if result.metrics else None,
        "window_first": result.window.first if result.window else None,
        "window_last": result.window.last if result.window else None,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
    }
    optional = {
        "approval_by": outcome.approval_by,
        "restored_from": outcome.restored_from,
        "evidence": outcome.evidence.model_dump(mode="json") if outcome.evidence else None,
        "report": outcome.report,
    }
    return row | {name: value for name, value in optional.items() if value is not None}


def build_version_row(trigger_reason: str, result: Result, *, has_run_id: bool) -> dict[str, Any]:
    """Build the row of `model_versions`.

    Every value is a text. PostgreSQL converts it to the column's type, which differs between
    installations.

    Args:
        trigger_reason: Why the retrain was requested.
        result: The result of a run that has published.
        has_run_id: Whether the table has our column run_id.

    Returns:
        Values by column.
    """
    precision = result.metrics.challenger.precision if result.metrics else None
    row: dict[str, Any] = {
        "version": str(result.version),
        # In whole seconds, so that a column of lower resolution stores the value unchanged. Without
        # run_id, the row is found by this value.
        "trained_at": result.finished_at.replace(microsecond=0).isoformat(),
        "trigger_reason": trigger_reason,
        "precision_score": None if precision is None else f"{precision:.4f}",
        "n_samples": None if result.n_samples is None else str(result.n_samples),
    }
    if has_run_id:
        row["run_id"] = result.run_id
    return row


def build_result_of_version(row: Mapping[str, object]) -> Result:
    """Build what is known of a result from a row of `model_versions` only.

    Args:
        row: Values by column, as texts or null.

    Returns:
        The result.

    Raises:
        UnreadableRowError: Its version or its time cannot be read.
    """
    facts = {
        "run_id": row["run_id"],
        "verdict": Verdict.PROMOTED,
        "reason": VerdictReason.UNKNOWN,
        "message": (
            f"This run has published version {row['version']}. Its row in retraining_runs is "
            "missing."
        ),
        "version": row["version"],
        "n_samples": row["n_samples"],
        "started_at": row["trained_at"],
        "finished_at": row["trained_at"],
    }
    return read_row(facts)
