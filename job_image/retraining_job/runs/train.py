"""The command `train`: one run, from its start to a recorded outcome.

The process may die at any line and start again under the same run id. What has been published or
recorded is found, and only the rest is done.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.trail import read_trail
from retraining_job.infra.logs import timed
from retraining_job.infra.retries import call_with_retries
from retraining_job.registry.run_document import read_own_result
from retraining_job.runs.audited import build_audited_versions
from retraining_job.runs.backfill import backfill
from retraining_job.runs.recording import record_outcome

if TYPE_CHECKING:
    from datetime import datetime

    from retraining_job.contract import Result
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


def train(settings: TrainSettings, started_at: datetime) -> Result:
    """Retrain once and record the outcome once.

    Args:
        settings: The settings of the run.
        started_at: When the process started (UTC).

    Returns:
        The result of the run. A promoted model is live.

    Raises:
        RunError: There is no verdict, or it could not be recorded.
    """
    with timed("Queried the audit trail"):
        trail = call_with_retries(settings.retry_policy, partial(read_trail, settings.audit))
    audited = build_audited_versions(trail)
    step = partial(read_own_result, settings.registry, audited)
    earlier = call_with_retries(settings.retry_policy, step) or trail.finished
    former = None
    if earlier:
        log.info(
            "An earlier attempt of this run has ended: %s (%s). Doing only what is missing.",
            earlier.verdict,
            earlier.reason,
        )
        outcome = RunOutcome(earlier)
    else:
        from retraining_job.runs.retrain import retrain  # noqa: PLC0415  # brings river

        outcome, former = retrain(settings, started_at, audited)
    record_outcome(settings, outcome)
    backfill(settings, former)
    return outcome.result
