"""Backfill of audit rows that earlier runs owe, which have published and could not record it.

The Job of such a run may have been deleted by hand, or have used up its tries. A later run writes
the rows at its own end. What cannot be written then is logged and left for the next run: it never
fails a run that does not owe it.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.runs import facts_of, insert_version, lock, upsert_run
from retraining_job.audit.tables import Tables, tables_of
from retraining_job.contract import Result, Verdict, VerdictReason
from retraining_job.infra.postgres import database
from retraining_job.infra.retries import patiently
from retraining_job.registry.history import kept_versions
from retraining_job.registry.live import read_live
from retraining_job.registry.publish import RUN_SECONDS, result_of_run

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.registry.manifest import Manifest
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


def live_manifest(settings: TrainSettings) -> Manifest | None:
    """Read the manifest of the live model."""
    return patiently(settings, partial(read_live, settings, with_model=False)).described


def backfill(settings: TrainSettings, former: Manifest | None) -> None:
    """Record the promotions that their own runs have not: those of the model that was live, and of the last days.

    Safe beside such a run itself, should it still be alive: both write the same rows, one after the
        other. Nothing is
    raised: whatever goes wrong is logged, and the next run tries again.

    Args:
        settings: Those of the run that is about to end.
        former: The manifest of the model that was live when the run began; None if there was none,
            or somebody else has put it there, who keeps no rows here.
    """
    try:
        candidates = {former.run_id: former} if former else {}
        recently = datetime.now(UTC) - timedelta(seconds=RUN_SECONDS)
        for manifest in manifests(settings):
            if manifest.published_at >= recently:
                candidates.setdefault(manifest.run_id, manifest)
        owed = unrecorded(
            settings, [one for run, one in candidates.items() if run not in {"", settings.run_id}]
        )
    except Exception as error:  # noqa: BLE001  # the run itself has ended well
        log.warning("Could not look for runs that owe their audit row: %s", error)
        return
    for manifest in owed:
        try:
            record_for(settings, manifest)
        except Exception as error:  # noqa: BLE001
            log.warning(
                "Version %d of run %s is still without its row in model_versions; the next run tries again. %s",
                manifest.version,
                manifest.run_id,
                error,
            )


def manifests(settings: TrainSettings) -> list[Manifest]:
    """Read the manifests of the live model and of the former ones that Redis keeps."""
    found = [version.entry.manifest for version in kept_versions(settings) if version.entry]
    found.append(read_live(settings, with_model=False).described)
    return [manifest for manifest in found if manifest]


def unrecorded(settings: TrainSettings, manifests: list[Manifest]) -> list[Manifest]:
    """Return those of some promotions that have no row in `model_versions`."""
    if not manifests:
        return []
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
        column = "run_id" if tables.has_run_id else "version"
        values = {one.run_id if tables.has_run_id else str(one.version): one for one in manifests}
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {column}::text FROM model_versions "  # noqa: S608  # one of two names
                f"WHERE {column}::text = ANY(%s)",
                [list(values)],
            )
            recorded = {value for [value] in cursor.fetchall()}
    return [one for value, one in values.items() if value not in recorded]


def record_for(settings: TrainSettings, manifest: Manifest) -> None:
    """Write the rows of another run's promotion that are not there."""
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
        if is_recorded(connection, tables, manifest):
            return
        lock(connection)
        if is_recorded(
            connection, tables, manifest
        ):  # by its own run, while this one waited for the lock
            return
        known = announced_reason(connection, tables, manifest.run_id)
        result = result_of_run(settings, manifest.run_id) or told_by(manifest)
        if manifest.restored_from is not None:
            result = result.model_copy(update={"verdict": Verdict.RESTORED})
        insert_version(connection, tables, known or VerdictReason.UNKNOWN, result)
        row = facts_of(
            RunOutcome(
                result, decided_by=manifest.approved_by, restored_from=manifest.restored_from
            )
        )
        if known is None:
            row |= {"trigger_reason": VerdictReason.UNKNOWN, "preset": manifest.preset}
        upsert_run(connection, tables, row)
    log.warning(
        "Version %d was never recorded by its run %s, which must have died. Wrote its audit row.",
        manifest.version,
        manifest.run_id,
    )


def is_recorded(connection: Connection, tables: Tables, manifest: Manifest) -> bool:
    """Tell whether a promotion has its row in `model_versions`."""
    column, value = (
        ("run_id", manifest.run_id) if tables.has_run_id else ("version", str(manifest.version))
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT FROM model_versions WHERE {column} = %s", [value]
        )  # one of two names
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
        reason=VerdictReason.UNKNOWN,
        message=f"This run has put version {manifest.version} live; how it was judged is not known any more.",
        n_samples=manifest.n_samples,
        version=manifest.version,
        started_at=manifest.published_at,
        finished_at=manifest.published_at,
    )
