"""Writing of the audit trail: a row for each promotion, and a row for every run.

Both rows are written in one transaction that can be repeated, also by two processes at once. If the
schema is migrated, the run id identifies a row. If not, the version and its time do.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from retraining_job.audit.fitting import fit_row
from retraining_job.audit.refusals import (
    RefusedRowError,
    SilentRefusalError,
    build_checked_statement,
    convert_refusals,
)
from retraining_job.audit.rows import build_run_row, build_version_row
from retraining_job.audit.tables import Tables, read_tables
from retraining_job.audit.versions import read_last_version
from retraining_job.contract import (
    RUN_TABLE,
    Result,
    VerdictReason,
    trainer_upsert,
    writable_names,
)
from retraining_job.errors import BadConfigurationError
from retraining_job.infra.postgres import database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.audit.outcome import RunOutcome
    from retraining_job.settings import AuditSettings

AUDIT_LOCK = 7_385_001
"""The advisory lock under which rows are written: a number that no other program uses."""

dump_json = partial(json.dumps, ensure_ascii=False)
"""Writes no escapes such as \\u00fc, because PostgreSQL accepts them only in some encodings."""


def announce(audit: AuditSettings, outcome: RunOutcome) -> None:
    """Record what is about to be published, after checking that it can be recorded.

    The evidence must be stored even if the run dies immediately after publishing.

    Args:
        audit: Which run it is, and where it is recorded.
        outcome: The outcome that the run will have.

    Raises:
        BadConfigurationError: The database would refuse a row of the promotion.
        DependencyUnavailableError: The database does not answer.
    """
    with database(audit.database_url) as connection:
        tables = read_tables(connection)
        try_rows(connection, tables, audit, outcome)
        unpublished = {
            "verdict": None,
            "version": None,
            "promoted": False,
            "reason": VerdictReason.ANNOUNCED,
        }
        upsert_run(connection, tables, build_run_row(audit, outcome) | unpublished)


def rehearse(audit: AuditSettings, outcome: RunOutcome) -> None:
    """Check that the rows of a promotion can be written, before anything is published.

    Args:
        audit: Which run it is, and where it is recorded.
        outcome: The outcome that the run will have.

    Raises:
        BadConfigurationError: The database refuses one of them. The text names table, constraint
            and value.
        DependencyUnavailableError: The database does not answer.
    """
    with database(audit.database_url) as connection:
        try_rows(connection, read_tables(connection), audit, outcome)


def record(audit: AuditSettings, outcome: RunOutcome) -> None:
    """Write the rows of a run that do not exist yet.

    Args:
        audit: Which run it is, and where it is recorded.
        outcome: The outcome of the run.

    Raises:
        BadConfigurationError: The database refuses one of them. The text names table, constraint
            and value.
        DependencyUnavailableError: The database does not answer.
    """
    with database(audit.database_url) as connection:
        tables = read_tables(connection)
        lock_trail(connection)
        if outcome.result.promoted:
            insert_version(connection, tables, audit.trigger_reason, outcome.result)
        upsert_run(connection, tables, build_run_row(audit, outcome))


def record_acceptance(audit: AuditSettings, last_version: int, message: str, now: datetime) -> None:
    """Record that a person has accepted the loss of models in Redis.

    Args:
        audit: Under which run it is recorded, and where.
        last_version: The highest version that may be lost.
        message: What was found.
        now: The present time (UTC).

    Raises:
        BadConfigurationError: The database has no table for it, or refuses the row.
        DependencyUnavailableError: The database does not answer.
    """
    row = {
        "run_id": audit.run_id,
        "trigger_reason": audit.trigger_reason,
        "verdict": None,
        "reason": VerdictReason.LOSS_ACCEPTED,
        "message": message,
        "champion_version": last_version,
        "started_at": now,
        "finished_at": now,
    }
    with database(audit.database_url) as connection:
        tables = read_tables(connection)
        if not tables.run_columns:
            raise BadConfigurationError(
                f"The database has no table {RUN_TABLE} to record it in. Run "
                '"python -m retraining_job migrate" first.'
            )
        lock_trail(connection)
        upsert_run(connection, tables, row)


def try_rows(
    connection: Connection, tables: Tables, audit: AuditSettings, outcome: RunOutcome
) -> None:
    """Write both rows of a promotion, and roll them back.

    If another run has recorded the same version meanwhile, this raises nothing, because publishing
    detects that the live model has changed.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        audit: Which run it is.
        outcome: The outcome that the run will have.

    Raises:
        BadConfigurationError: The database refuses one of them.
    """
    result = outcome.result
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT rehearsal")
        try:
            insert_version(connection, tables, audit.trigger_reason, result)
            upsert_run(connection, tables, build_run_row(audit, outcome))
        except RefusedRowError as error:
            cursor.execute("ROLLBACK TO SAVEPOINT rehearsal")
            last = read_last_version(connection, tables)
            if error.is_duplicate and last >= (result.version or 0):
                return
            raise BadConfigurationError(f"{error} Nothing was published.") from None
        cursor.execute("ROLLBACK TO SAVEPOINT rehearsal")


def lock_trail(connection: Connection) -> None:
    """Wait until no other transaction writes the audit trail.

    The lock is needed because not every installation has unique columns.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])


def insert_version(
    connection: Connection, tables: Tables, trigger_reason: str, result: Result
) -> None:
    """Write the row of `model_versions`, unless it exists.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        trigger_reason: Why the retrain was requested.
        result: The result of a run that has published.

    Raises:
        RefusedRowError: The table refuses the row, or drops it without an error.
    """
    row = build_version_row(trigger_reason, result, has_run_id=tables.has_run_id)
    identifying = ["run_id"] if tables.has_run_id else ["version", "trained_at"]
    row = fit_row(row, tables.versions, tables.codec)
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    condition = " AND ".join(f"{name} = %({name})s" for name in identifying)
    find = f"SELECT FROM model_versions WHERE {condition}"  # the names are constants
    statement = f"INSERT INTO model_versions ({names}) SELECT {values} WHERE NOT EXISTS ({find})"
    with (
        convert_refusals(connection, tables, "model_versions", row),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"{build_checked_statement(statement)}; {find}", row)
        if cursor.fetchone() is None:
            raise SilentRefusalError


def upsert_run(connection: Connection, tables: Tables, row: dict[str, Any]) -> None:
    """Write the row of a run, if the table exists.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        row: Values by column. Columns that the table lacks are left out.

    Raises:
        RefusedRowError: The table refuses the row.
    """
    names = writable_names(row, tables.runs)
    if not names:
        return
    row = fit_row({name: row[name] for name in names}, tables.runs, tables.codec)
    values = {
        name: Json(value, dumps=dump_json) if isinstance(value, dict) else value
        for name, value in row.items()
    }
    with convert_refusals(connection, tables, RUN_TABLE, row), connection.cursor() as cursor:
        cursor.execute(build_checked_statement(trainer_upsert(names)), values)
