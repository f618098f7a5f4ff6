"""A person's decision on a challenger, done and recorded. Driven by the command `decide`.

The run was judged and recorded before; what is decided changes its row. Started again, it finds
what it has done.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.runs import read_trail, rehearse
from retraining_job.contract import Result, Verdict, VerdictReason, Withheld
from retraining_job.infra.retries import patiently
from retraining_job.registry.pending import Expired, Rejected
from retraining_job.registry.pending import decide as carry_out
from retraining_job.registry.publish import Overtaken, Published
from retraining_job.runs.backfill import backfill, live_manifest
from retraining_job.runs.run import keep

if TYPE_CHECKING:
    from retraining_job.settings import DecideSettings

log = logging.getLogger(__name__)


def decide(settings: DecideSettings, started_at: datetime) -> Result:
    """Put the run's challenger live, or keep it out for good.

    Raises:
        RunError: it could not be done, or not be recorded.
    """
    trail = patiently(settings, partial(read_trail, settings))
    former = live_manifest(settings)

    def rehearsal(result: Result) -> None:
        rehearse(settings, RunOutcome(result, decided_by=settings.decided_by or None))

    end = patiently(
        settings, partial(carry_out, settings, floor=trail.last_version, rehearse=rehearsal)
    )
    judged = trail.finished or unknown(settings, started_at)
    result = result_of(end, settings, judged)
    keep(settings, RunOutcome(result, decided_by=settings.decided_by or None))
    backfill(settings, former)
    return result


def result_of(
    end: Published | Overtaken | Rejected | Expired, settings: DecideSettings, judged: Result
) -> Result:
    """Say what became of the challenger."""
    if isinstance(end, Published):
        return end.result
    by = f" by {settings.decided_by}" if settings.decided_by else ""
    changes: dict[str, object] = {"promoted": False, "finished_at": datetime.now(UTC)}
    if isinstance(end, Overtaken):
        changes |= {
            "verdict": Verdict.KEPT,
            "withheld": None,
            "reason": VerdictReason.OVERTAKEN,
            "message": f"The challenger was approved{by}, but {end} is live now, which it was not judged against: it "
            "stays out. Apply a new request.",
        }
    elif isinstance(end, Rejected):
        changes |= {
            "withheld": Withheld.REJECTED,
            "reason": VerdictReason.REJECTED,
            "message": f"The challenger was rejected{by}; it will not go live. Its verdict was: {judged.message}",
        }
    else:
        changes |= {
            "withheld": None,
            "reason": VerdictReason.EXPIRED,
            "message": f"There is no challenger of this run to {settings.decision}: it waits {settings.decision_days} "
            "days for a decision. Apply a new request.",
        }
    return judged.model_copy(update=changes)


def unknown(settings: DecideSettings, started_at: datetime) -> Result:
    """Stand in for a judgement whose row is gone."""
    return Result(
        run_id=settings.run_id,
        verdict=Verdict.KEPT,
        reason=VerdictReason.UNKNOWN,
        message="its row is gone.",
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
