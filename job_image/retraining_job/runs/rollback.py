"""The command `rollback`: a former champion made live again, and recorded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.runs import rehearse
from retraining_job.audit.trail import read_trail
from retraining_job.contract import Result, Verdict
from retraining_job.infra.retries import call_with_retries
from retraining_job.registry.restore import restore_version
from retraining_job.runs.audited import build_audited_versions
from retraining_job.runs.backfill import backfill, read_live_manifest
from retraining_job.runs.recording import record_outcome

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings


def roll_back(settings: TrainSettings, to: int) -> Result:
    """Make a stored version live again, under a new version number with a row of its own.

    Args:
        settings: The settings, with the run id under which the rollback is recorded.
        to: The version to restore.

    Returns:
        The result of the rollback.

    Raises:
        RunError: The rollback could not be done or recorded.
    """
    trail = call_with_retries(settings.retry_policy, partial(read_trail, settings.audit))
    former = read_live_manifest(settings)

    def build_outcome(result: Result) -> RunOutcome:
        return RunOutcome(result.model_copy(update={"verdict": Verdict.RESTORED}), restored_from=to)

    def rehearse_result(result: Result) -> None:
        rehearse(settings.audit, build_outcome(result))

    step = partial(
        restore_version,
        settings.registry,
        to,
        audited=build_audited_versions(trail),
        rehearse=rehearse_result,
    )
    outcome = build_outcome(call_with_retries(settings.retry_policy, step))
    record_outcome(settings, outcome)
    backfill(settings, former)
    return outcome.result
