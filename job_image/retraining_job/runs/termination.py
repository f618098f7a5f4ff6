"""How a run's end reaches the operator: the result document, as the container's termination message."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from retraining_job.contract import Failure, Result, environment_name
from retraining_job.errors import AuditPendingError, RunError

TERMINATION_LOG = environment_name("termination_log")
"""Names the file of the result document.

No setting like others: it is needed where the settings are wrong, too.
"""

DEFAULT_TERMINATION_LOG = "/dev/termination-log"
"""Where Kubernetes expects it, and has made the file."""

log = logging.getLogger(__name__)


def failed(error: Exception, run_id: str, started_at: datetime) -> Result:
    """Write a failure down; a model that is live without its row is named with its version."""
    live = error.result if isinstance(error, AuditPendingError) else None
    return Result(
        run_id=run_id,
        promoted=live is not None,
        reason=error.failure if isinstance(error, RunError) else Failure.INTERNAL_ERROR,
        message=str(error)
        if isinstance(error, RunError)
        else f"The trainer has a defect ({type(error).__name__}).",
        n_samples=live.n_samples if live else None,
        version=live.version if live else None,
        champion_version=live.champion_version if live else None,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )


def leave(result: Result) -> None:
    """Leave the result document where Kubernetes looks for it; outside of a container it goes to the log."""
    path = Path(os.environ.get(TERMINATION_LOG, DEFAULT_TERMINATION_LOG))
    if path.is_file() and os.access(
        path, os.W_OK
    ):  # never made here: a stray file in /dev would help nobody
        path.write_text(result.document())
    else:
        log.info("Result: %s", result.document())
