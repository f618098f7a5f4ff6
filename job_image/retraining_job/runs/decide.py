"""The command `decide`: a manual approval or rejection, carried out and recorded.

The run was evaluated and recorded before; the approval changes its row. If the process is started
again, it finds what it has done.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.runs import rehearse
from retraining_job.audit.trail import read_trail
from retraining_job.contract import Result, Verdict, VerdictReason, Withheld
from retraining_job.infra.retries import call_with_retries
from retraining_job.registry.pending import AuthoredAnswer, Expired, Rejected, carry_out_approval
from retraining_job.registry.publish import Overtaken, Published
from retraining_job.runs.audited import build_audited_versions
from retraining_job.runs.backfill import backfill, read_live_manifest
from retraining_job.runs.recording import record_outcome

if TYPE_CHECKING:
    from retraining_job.settings import DecideSettings


def apply_approval(settings: DecideSettings, started_at: datetime) -> Result:
    """Make the run's challenger live, or reject it for good.

    Args:
        settings: The settings with the approval.
        started_at: When the process started (UTC).

    Returns:
        The result of the run.

    Raises:
        RunError: The approval could not be carried out or recorded.
    """
    trail = call_with_retries(settings.retry_policy, partial(read_trail, settings.audit))
    if trail.finished and trail.finished.withheld is Withheld.REJECTED:
        # The stored challenger may be an earlier copy, which does not know of the rejection.
        return trail.finished
    former = read_live_manifest(settings)
    approval_by = settings.approval_by or None

    def rehearse_result(result: Result) -> None:
        rehearse(settings.audit, RunOutcome(result, approval_by=approval_by))

    step = partial(
        carry_out_approval,
        settings.registry,
        AuthoredAnswer(settings.approval, settings.approval_by),
        audited=build_audited_versions(trail),
        rehearse=rehearse_result,
    )
    end = call_with_retries(settings.retry_policy, step)
    evaluated = trail.finished or build_unknown_result(settings.run_id, started_at)
    result = build_approval_result(end, settings, evaluated)
    record_outcome(settings, RunOutcome(result, approval_by=approval_by))
    backfill(settings, former)
    return result


def build_approval_result(
    end: Published | Overtaken | Rejected | Expired, settings: DecideSettings, evaluated: Result
) -> Result:
    """Build the result from what happened to the challenger.

    Args:
        end: What happened to it.
        settings: The settings with the approval.
        evaluated: The result of its evaluation.

    Returns:
        The result of the run after the approval.
    """
    if isinstance(end, Published):
        return end.result
    by = f" by {settings.approval_by}" if settings.approval_by else ""
    changes: dict[str, object] = {"promoted": False, "finished_at": datetime.now(UTC)}
    if isinstance(end, Overtaken):
        changes |= {
            "verdict": Verdict.KEPT,
            "withheld": None,
            "reason": VerdictReason.OVERTAKEN,
            "message": (
                f"The challenger was approved{by}, but {end} is live now, and the challenger was "
                "not evaluated against it. It does not go live. Apply a new request."
            ),
        }
    elif isinstance(end, Rejected):
        changes |= {
            "withheld": Withheld.REJECTED,
            "reason": VerdictReason.REJECTED,
            "message": (
                f"The challenger was rejected{by}. It will not go live. "
                f"Its evaluation was: {evaluated.message}"
            ),
        }
    else:
        changes |= {
            "withheld": None,
            "reason": VerdictReason.EXPIRED,
            "message": (
                f"There is no challenger of this run to {settings.approval}: it waits "
                f"{settings.approval_days} days for approval. Apply a new request."
            ),
        }
    return evaluated.model_copy(update=changes)


def build_unknown_result(run_id: str, started_at: datetime) -> Result:
    """Build a substitute for the result of an evaluation whose row is missing.

    Args:
        run_id: The run.
        started_at: When the process started (UTC).

    Returns:
        The result.
    """
    return Result(
        run_id=run_id,
        verdict=Verdict.KEPT,
        reason=VerdictReason.UNKNOWN,
        message="its row is missing.",
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
