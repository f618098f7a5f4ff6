"""Recording of outcomes in the audit trail at the end of a run."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.runs import record
from retraining_job.errors import AuditPendingError, RunError
from retraining_job.infra.logs import timed
from retraining_job.infra.retries import call_with_retries

if TYPE_CHECKING:
    from retraining_job.contract import Result
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


def record_outcome(settings: TrainSettings, outcome: RunOutcome) -> None:
    """Record an outcome. A run is not finished as long as its live model has no row.

    Args:
        settings: The settings of the run.
        outcome: The outcome.

    Raises:
        AuditPendingError: The model is live, and its row could not be written.
        RunError: Another outcome could not be recorded. The next attempt repeats the run.
    """
    result = outcome.result
    try:
        with timed("Recorded the run"):
            call_with_retries(settings.retry_policy, partial(record, settings.audit, outcome))
    except RunError as error:
        if result.promoted:
            text = (
                f"The model is live as version {result.version}, but its audit row is not written "
                f"yet. {error}"
            )
            raise AuditPendingError(text, result) from None
        raise


def record_failure(settings: TrainSettings, result: Result) -> None:
    """Record a failure if the database is available.

    There are no retries, because the run has failed anyway.

    Args:
        settings: The settings of the run.
        result: The result document of the failure.
    """
    if result.promoted:
        return  # The row of a live model is pending, and a failure must not replace it.
    try:
        record(settings.audit, RunOutcome(result))
    except Exception as error:  # noqa: BLE001  # the failure that is being recorded matters more
        log.warning("Could not record the failure in the database. %s", error)
