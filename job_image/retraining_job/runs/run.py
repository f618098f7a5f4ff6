"""One run, from start to a recorded outcome. Driven by `__main__`.

The process may die at any line and be started again under the same run id. What has been published
or recorded is found, and only the rest is done.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.runs import read_trail, record
from retraining_job.errors import AuditPendingError, RunError
from retraining_job.infra.logs import timed
from retraining_job.infra.retries import patiently
from retraining_job.registry.publish import published
from retraining_job.runs.backfill import backfill

if TYPE_CHECKING:
    from datetime import datetime

    from retraining_job.contract import Result
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


def run(settings: TrainSettings, started_at: datetime) -> Result:
    """Retrain once, and see to it that the outcome is recorded once.

    Raises:
        RunError: there is no verdict, or it could not be recorded.
    """
    with timed("Asked the audit trail"):
        trail = patiently(settings, partial(read_trail, settings))
    result = patiently(settings, partial(published, settings)) or trail.finished
    former = None
    if result:
        log.info(
            "This run has ended before: %s (%s). Only what is missing is done.",
            result.verdict,
            result.reason,
        )
        outcome = RunOutcome(result)
    else:
        from retraining_job.runs.train import Retrain  # noqa: PLC0415  # a run that has ended before needs none of it

        retrain = Retrain(settings, started_at, floor=trail.last_version)
        outcome, former = retrain.outcome(), retrain.former
    keep(settings, outcome)
    backfill(settings, former)
    return outcome.result


def keep(settings: TrainSettings, outcome: RunOutcome) -> None:
    """Record the outcome; a model that went live without its row leaves the run unfinished.

    Raises:
        AuditPendingError: the model is live, and its row could not be written.
        RunError: another outcome could not be recorded; the run begins anew when it is started
            again.
    """
    result = outcome.result
    try:
        with timed("Recorded the run"):
            patiently(settings, partial(record, settings, outcome))
    except RunError as error:
        if result.promoted:
            text = f"The model is live as version {result.version}, but its audit row is not written yet. {error}"
            raise AuditPendingError(text, result) from None
        raise


def keep_failure(settings: TrainSettings, result: Result) -> None:
    """Record a failure where the database is there; it is not waited for, since the run has failed anyway."""
    if result.promoted:
        return  # the row of a model that went live is owed, and this is not it
    try:
        record(settings, RunOutcome(result))
    except Exception as error:  # noqa: BLE001  # the failure that is being recorded matters more
        log.warning("The failure is not recorded in the database. %s", error)
