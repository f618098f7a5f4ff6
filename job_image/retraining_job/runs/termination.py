"""The result document as the container's termination message, which the operator reads."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from retraining_job.contract import Failure, Result, environment_name
from retraining_job.errors import AuditPendingError, RunError

TERMINATION_LOG = environment_name("termination_log")
"""Names the file of the result document.

Not a setting like others, because it is needed if the settings are wrong.
"""

DEFAULT_TERMINATION_LOG = "/dev/termination-log"
"""The file that Kubernetes creates and reads."""

log = logging.getLogger(__name__)


def build_failure(error: Exception, run_id: str, started_at: datetime) -> Result:
    """Build the result document of a failed run.

    Args:
        error: Why it failed.
        run_id: The run.
        started_at: When the process started (UTC).

    Returns:
        The document. If the model is live without its audit row, it names the version.
    """
    live = error.result if isinstance(error, AuditPendingError) else None
    if isinstance(error, RunError):
        reason, message = error.failure, str(error)
    else:
        reason = Failure.INTERNAL_ERROR
        message = f"The trainer has a defect ({type(error).__name__})."
    return Result(
        run_id=run_id,
        promoted=live is not None,
        reason=reason,
        message=message,
        n_samples=live.n_samples if live else None,
        version=live.version if live else None,
        champion_version=live.champion_version if live else None,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )


def write_termination_message(result: Result) -> None:
    """Write the result document to the termination log. Outside of a container, log it."""
    path = Path(os.environ.get(TERMINATION_LOG, DEFAULT_TERMINATION_LOG))
    # Kubernetes creates the file. If it does not exist, nothing reads it.
    if path.is_file() and os.access(path, os.W_OK):
        path.write_text(result.document(), encoding="utf-8")
    else:
        log.info("Result: %s", result.document())
