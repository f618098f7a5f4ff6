"""A rollback, done and recorded.

Driven by the command `rollback`; what is done in Redis is in `rollback`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.runs import read_trail, rehearse
from retraining_job.contract import Result, Verdict
from retraining_job.infra.retries import patiently
from retraining_job.registry.restore import rollback
from retraining_job.runs.backfill import backfill, live_manifest
from retraining_job.runs.run import keep

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings


def restore(settings: TrainSettings, to: int) -> Result:
    """Put a kept version live again, under a version of its own with a row of its own.

    Raises:
        RunError: it could not be done, or not be recorded.
    """
    trail = patiently(settings, partial(read_trail, settings))
    former = live_manifest(settings)

    def outcome_of(result: Result) -> RunOutcome:
        return RunOutcome(result.model_copy(update={"verdict": Verdict.RESTORED}), restored_from=to)

    def rehearsal(result: Result) -> None:
        rehearse(settings, outcome_of(result))

    done = patiently(
        settings, partial(rollback, settings, to, floor=trail.last_version, rehearse=rehearsal)
    )
    outcome = outcome_of(done)
    keep(settings, outcome)
    backfill(settings, former)
    return outcome.result
