"""Backfill of the audit rows of earlier runs that died after publishing their model.

The Job of such a run may have been deleted by hand, or may have used up its attempts. A later run
writes the rows at its end. A row that cannot be written is logged and left for the next run: a
backfill never fails the run that does it.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.rows import build_outcome_columns
from retraining_job.audit.runs import insert_version, lock_trail, upsert_run
from retraining_job.audit.tables import Tables, read_tables
from retraining_job.contract import RUN_TABLE, Result, Verdict, VerdictReason
from retraining_job.contract.run_row import select_texts
from retraining_job.infra.postgres import database
from retraining_job.infra.read_only import read_only
from retraining_job.infra.retries import call_with_retries
from retraining_job.registry.history import read_stored_versions
from retraining_job.registry.live import read_live
from retraining_job.registry.publish import RUN_SECONDS
from retraining_job.registry.run_document import (
    ForgedDocumentError,
    parse_run_document,
    read_run_document,
)
from retraining_job.registry.signing import SigningKeys

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

    from retraining_job.registry.manifest import Manifest
    from retraining_job.settings import AuditSettings, RegistrySettings, TrainSettings

log = logging.getLogger(__name__)


def read_live_manifest(settings: TrainSettings) -> Manifest | None:
    """Read the manifest of the live model.

    Args:
        settings: The settings of the run.

    Returns:
        The manifest, or None if another program has put the model there or, with a signing key, the
        manifest is not signed.
    """
    step = partial(read_live, settings.registry, with_model=False)
    return call_with_retries(settings.retry_policy, step).own_manifest


def backfill(settings: TrainSettings, former: Manifest | None) -> None:
    """Record the promotions of other runs that are not recorded.

    These are the promotion of the model that was live, and the promotions of the last
    `RUN_SECONDS`. If such a run is still alive, both write the same rows, one after the other. A
    failure is logged and not raised, and the next run tries again.

    Args:
        settings: The settings of the run that is about to end.
        former: The manifest of the model that was live when the run started, or None if there was
            none or another program had put the model there.
    """
    try:
        pending = find_unrecorded(settings.audit, find_candidates(settings.registry, former))
    except Exception as error:  # noqa: BLE001  # the run itself has succeeded
        log.warning("Could not look for runs without an audit row. %s", error)
        return
    for manifest in pending:
        try:
            record_promotion(settings.database_url, settings.registry, manifest)
        except Exception as error:  # noqa: BLE001  # the run itself has succeeded
            log.warning(
                "Version %d of run %s still has no row in model_versions. The next run tries "
                "again. %s",
                manifest.version,
                manifest.run_id,
                error,
            )


def find_candidates(registry: RegistrySettings, former: Manifest | None) -> list[Manifest]:
    """Find the promotions of other runs that may lack their rows.

    Args:
        registry: The settings of the registry, with the run that is about to end.
        former: The manifest of the model that was live when it started.

    Returns:
        One manifest for each run.
    """
    candidates = {former.run_id: former} if former else {}
    oldest = datetime.now(UTC) - timedelta(seconds=RUN_SECONDS)
    for manifest in read_manifests(registry):
        if manifest.published_at >= oldest:
            candidates.setdefault(manifest.run_id, manifest)
    excluded = {"", registry.run_id}
    return [manifest for run_id, manifest in candidates.items() if run_id not in excluded]


def read_manifests(registry: RegistrySettings) -> list[Manifest]:
    """Read the manifests of the live model and of the stored former champions that are trusted."""
    versions = read_stored_versions(registry)
    found = [version.manifest for version in versions if not version.problem]
    found.append(read_live(registry, with_model=False).own_manifest)
    return [manifest for manifest in found if manifest]


def find_unrecorded(audit: AuditSettings, manifests: list[Manifest]) -> list[Manifest]:
    """Find the promotions that have no row in `model_versions`.

    Args:
        audit: Where runs are recorded.
        manifests: The manifests of the promotions.

    Returns:
        The manifests without a row.
    """
    if not manifests:
        return []
    with read_only(audit.database_url, audit.read_limits, "model_versions") as reading:
        tables = read_tables(reading.connection)
        by_value = {}
        for manifest in manifests:
            column, value = get_identity(tables, manifest)
            by_value[value] = manifest
        with reading.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {column}::text FROM model_versions "  # noqa: S608  # one of two constants
                f"WHERE {column}::text = ANY(%s)",
                [list(by_value)],
            )
            recorded = {value for [value] in cursor.fetchall()}
    return [manifest for value, manifest in by_value.items() if value not in recorded]


def record_promotion(
    database_url: SecretStr, registry: RegistrySettings, manifest: Manifest
) -> None:
    """Write the missing rows of another run's promotion.

    Args:
        database_url: The URL of the database.
        registry: The settings of the registry.
        manifest: The manifest of the promotion.
    """
    with database(database_url) as connection:
        tables = read_tables(connection)
        if is_recorded(connection, tables, manifest):
            return
        lock_trail(connection)
        # Its own run may have recorded it while this one waited for the lock.
        if is_recorded(connection, tables, manifest):
            return
        trigger_reason = read_trigger_reason(connection, tables, manifest.run_id)
        result = read_published_result(registry, manifest) or build_result_from_manifest(manifest)
        if manifest.restored_from is not None:
            result = result.model_copy(update={"verdict": Verdict.RESTORED})
        insert_version(connection, tables, trigger_reason or VerdictReason.UNKNOWN, result)
        outcome = RunOutcome(
            result, approval_by=manifest.approved_by, restored_from=manifest.restored_from
        )
        row = build_outcome_columns(outcome)
        if trigger_reason is None:
            row |= {"trigger_reason": VerdictReason.UNKNOWN, "preset": manifest.preset}
        upsert_run(connection, tables, row)
    log.warning(
        "Wrote the audit row of version %d, because its run %s ended without writing it.",
        manifest.version,
        manifest.run_id,
    )


def read_published_result(registry: RegistrySettings, manifest: Manifest) -> Result | None:
    """Read the result document of the run that has published a version.

    Args:
        registry: The settings of the registry.
        manifest: The manifest of the version.

    Returns:
        The result, or None if the document is lost, forged or of another version.
    """
    document = read_run_document(registry, manifest.run_id)
    if document is None:
        return None
    signing_keys = SigningKeys.of(registry)
    try:
        result = parse_run_document(signing_keys, registry.model_key, manifest.run_id, document)
    except ForgedDocumentError as error:
        log.warning("The result document of run %s is ignored: %s.", manifest.run_id, error)
        return None
    return result if result.version == manifest.version else None


def get_identity(tables: Tables, manifest: Manifest) -> tuple[str, str]:
    """Get the column by which a promotion is found in `model_versions`, and its value.

    Args:
        tables: The tables and columns that exist.
        manifest: The manifest of the promotion.

    Returns:
        `run_id` or `version`, and its value.
    """
    if tables.has_run_id:
        return "run_id", manifest.run_id
    return "version", str(manifest.version)


def is_recorded(connection: Connection, tables: Tables, manifest: Manifest) -> bool:
    """Check whether a promotion has its row in `model_versions`.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        manifest: The manifest of the promotion.

    Returns:
        True if it has.
    """
    column, value = get_identity(tables, manifest)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM model_versions WHERE {column} = %s", [value])
        return cursor.fetchone() is not None


def read_trigger_reason(connection: Connection, tables: Tables, run_id: str) -> str | None:
    """Read why a run was requested, as it has announced it.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        run_id: The run.

    Returns:
        The reason, or None if the run has announced nothing.
    """
    if not tables.run_columns:
        return None
    columns = select_texts(["trigger_reason"])
    query = f"SELECT {columns} FROM {RUN_TABLE} WHERE run_id::text = %s LIMIT 1"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query, [run_id])
        row = cursor.fetchone()
    return str(row[0]) if row and row[0] is not None else None


def build_result_from_manifest(manifest: Manifest) -> Result:
    """Build a substitute for a lost result document from the manifest."""
    return Result(
        run_id=manifest.run_id,
        verdict=Verdict.PROMOTED,
        promoted=True,
        reason=VerdictReason.UNKNOWN,
        message=(
            f"This run has published version {manifest.version}. The result of its evaluation is "
            "lost."
        ),
        n_samples=manifest.n_samples,
        version=manifest.version,
        started_at=manifest.published_at,
        finished_at=manifest.published_at,
    )
