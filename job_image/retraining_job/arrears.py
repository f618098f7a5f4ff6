"""The audit row that an earlier run owes, which has published and died. Driven by the runs that publish after it.

Its Job may have been deleted by hand, or have used up its tries. Whoever replaces the live model makes sure first that
the live one has its row, so the audit trail never has a hole.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit import facts_of, insert_version, lock, upsert_run
from retraining_job.contract import Reason, Result, Verdict
from retraining_job.database import database
from retraining_job.live import read_live
from retraining_job.outcome import Outcome
from retraining_job.publish import result_of_run
from retraining_job.retries import patiently
from retraining_job.tables import Tables, tables_of

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.manifest import Manifest
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


def settle_live(settings: TrainSettings) -> None:
    """Look which model is live, and record its promotion if its own run has not; see `settle`."""
    settle(settings, patiently(settings, partial(read_live, settings, with_model=False)).described)


def settle(settings: TrainSettings, manifest: Manifest | None) -> None:
    """Record the promotion of the live model if its own run has not.

    Safe beside that run itself, should it still be alive: both write the same rows, one after the other.

    Args:
        settings: those of the run that is about to publish.
        manifest: the live model's; None where somebody else has put it there, who keeps no rows here.

    Raises:
        BadConfiguration: the database refuses the row.
        DependencyAway: the database or Redis does not answer.
    """
    if manifest and manifest.run_id and manifest.run_id != settings.run_id:
        patiently(settings, partial(record_for, settings, manifest))


def record_for(settings: TrainSettings, manifest: Manifest) -> None:
    """Write the rows of another run's promotion that are not there."""
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
        if is_recorded(connection, tables, manifest):
            return
        lock(connection)
        if is_recorded(connection, tables, manifest):  # by its own run, while this one waited for the lock
            return
        known = announced_reason(connection, tables, manifest.run_id)
        result = result_of_run(settings, manifest.run_id) or told_by(manifest)
        if manifest.restored_from is not None:
            result = result.model_copy(update={"verdict": Verdict.RESTORED})
        insert_version(connection, tables, known or Reason.UNKNOWN, result)
        row = facts_of(Outcome(result, decided_by=manifest.approved_by, restored_from=manifest.restored_from))
        if known is None:
            row |= {"trigger_reason": Reason.UNKNOWN, "preset": manifest.preset}
        upsert_run(connection, tables, row)
    log.warning(
        "The live version %d was never recorded by its run %s, which must have died: its row is written now.",
        manifest.version,
        manifest.run_id,
    )


def is_recorded(connection: Connection, tables: Tables, manifest: Manifest) -> bool:
    """Tell whether a promotion has its row in `model_versions`."""
    column, value = ("run_id", manifest.run_id) if tables.has_run_id else ("version", str(manifest.version))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM model_versions WHERE {column} = %s", [value])  # one of two names
        return cursor.fetchone() is not None


def announced_reason(connection: Connection, tables: Tables, run_id: str) -> str | None:
    """Give why a run was asked for, as it announced it; None where it announced nothing."""
    if not tables.run_columns:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT trigger_reason FROM retraining_runs WHERE run_id = %s", [run_id])
        row = cursor.fetchone()
    return str(row[0]) if row else None


def told_by(manifest: Manifest) -> Result:
    """Make up for a result document that is gone by what the manifest tells."""
    return Result(
        run_id=manifest.run_id,
        verdict=Verdict.PROMOTED,
        promoted=True,
        reason=Reason.UNKNOWN,
        message=f"This run has put version {manifest.version} live; how it was judged is not known any more.",
        n_samples=manifest.n_samples,
        version=manifest.version,
        started_at=manifest.published_at,
        finished_at=manifest.published_at,
    )
