"""The command `accept-loss`: a person accepts that Redis has lost the newest models.

With a signing key, a live model that is older than the audit trail is refused, because somebody may
have put it back. After a restore of a backup, or a failover that lost writes, this command records
in the audit trail that the loss is known. The next newer version ends the exception.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.runs import record_acceptance
from retraining_job.audit.trail import read_trail
from retraining_job.contract import parse_version
from retraining_job.infra.retries import call_with_retries
from retraining_job.registry.freshness import describe_older_model
from retraining_job.registry.live import read_live
from retraining_job.runs.audited import build_audited_versions

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


def accept_loss(settings: TrainSettings) -> bool:
    """Record that Redis has lost the newest models. Repeated calls record it once.

    Args:
        settings: The settings, with the run id under which this is recorded.

    Returns:
        Whether anything was lost.

    Raises:
        RunError: It could not be recorded.
    """
    trail = call_with_retries(settings.retry_policy, partial(read_trail, settings.audit))
    step = partial(read_live, settings.registry, with_model=False)
    live = call_with_retries(settings.retry_policy, step)
    problem = describe_older_model(
        build_audited_versions(trail),
        parse_version(live.version) or 0,
        live.own_manifest,
        has_model=live.model is not None,
    )
    if problem is None:
        log.info("The live model is as new as the audit trail. There is nothing to accept.")
        return False
    message = f"Accepted by hand that the live model is not the newest: {problem}."
    record_acceptance(settings.audit, trail.last_version, message, datetime.now(UTC))
    log.info("%s The next run goes on from there.", message)
    return True
