"""Reading of the audit trail at the start of a run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2.extras import RealDictCursor

from retraining_job.audit.rows import build_result_of_version
from retraining_job.audit.tables import Tables, read_tables
from retraining_job.contract import RUN_TABLE, Result, read_row
from retraining_job.infra.postgres import database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.settings import AuditSettings

LAST_VERSION = (
    "SELECT coalesce(max(version::text::bigint), 0) FROM {} WHERE version::text ~ '^[0-9]{{1,18}}$'"
)
"""Versions are texts in some installations."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trail:
    """What the audit trail knows before a run does anything.

    Args:
        finished: The verdict that an earlier attempt of this run has recorded.
        last_version: The highest version ever recorded, 0 if there is none. A new version must be
            higher, even if Redis was emptied.
    """

    finished: Result | None
    last_version: int


def read_trail(audit: AuditSettings) -> Trail:
    """Read the audit trail, and check that a run can be recorded before it does any work.

    Raises:
        BadConfigurationError: There is no table `model_versions`, or it lacks columns.
        DependencyUnavailableError: The database does not answer.
    """
    with database(audit.database_url) as connection:
        tables = read_tables(connection)
        trail = Trail(
            read_verdict(connection, tables, audit.run_id), read_last_version(connection, tables)
        )
    if not tables.run_columns:
        log.warning(
            "The database has no table %s, so only promotions are recorded, in model_versions. "
            'Run "python -m retraining_job migrate" to add it.',
            RUN_TABLE,
        )
    return trail


def read_verdict(connection: Connection, tables: Tables, run_id: str) -> Result | None:
    """Read the recorded verdict of a run.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        run_id: The run.

    Returns:
        Its result, or None if no verdict is recorded.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        if tables.run_columns:
            cursor.execute(
                f"SELECT * FROM {RUN_TABLE} "  # noqa: S608  # a constant
                "WHERE run_id = %s AND verdict IS NOT NULL",
                [run_id],
            )
            if row := cursor.fetchone():
                return read_row(row)
        if tables.has_run_id:
            cursor.execute("SELECT * FROM model_versions WHERE run_id = %s", [run_id])
            if row := cursor.fetchone():
                return build_result_of_version(row)
    return None


def read_last_version(connection: Connection, tables: Tables) -> int:
    """Read the highest version in either table.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.

    Returns:
        The version, 0 if there is none.
    """
    highest = 0
    with connection.cursor() as cursor:
        for table in ["model_versions", *([RUN_TABLE] if tables.run_columns else [])]:
            cursor.execute(LAST_VERSION.format(table))
            [version] = cursor.fetchone() or [0]
            highest = max(highest, int(version))
    return highest
