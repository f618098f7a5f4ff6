"""Reading of the audit trail at the start of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg2.extras import RealDictCursor
from pydantic import ValidationError

from retraining_job.audit.rows import build_result_of_version
from retraining_job.audit.tables import Tables, read_tables
from retraining_job.contract import (
    HIGHEST_VERSION,
    RUN_TABLE,
    VERSION_RANGE,
    Result,
    VerdictReason,
    read_row,
)
from retraining_job.errors import BadDataError
from retraining_job.infra.postgres import database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.settings import AuditSettings

LAST_VERSION = "SELECT max(version::text::numeric) FROM {} WHERE version::text ~ '^[0-9]{{1,100}}$'"
"""Versions are texts in some installations."""

ACCEPTED_VERSION = (
    f"SELECT max(champion_version) FROM {RUN_TABLE} "  # noqa: S608  # constants
    f"WHERE reason = '{VerdictReason.LOSS_ACCEPTED}' AND verdict IS NULL"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trail:
    """What the audit trail knows before a run does anything.

    Args:
        finished: The verdict that an earlier attempt of this run has recorded.
        last_version: The highest version ever recorded, 0 if there is none. A new version must be
            higher, even if Redis was emptied.
        accepted_version: The highest version of which a person has accepted that Redis has lost it,
            0 if there is none.
    """

    finished: Result | None
    last_version: int
    accepted_version: int = 0


def read_trail(audit: AuditSettings) -> Trail:
    """Read the audit trail, and check that a run can be recorded before it does any work.

    Raises:
        BadConfigurationError: There is no table `model_versions`, or it lacks columns.
        BadDataError: A row that matters cannot be read, or its version is out of range.
        DependencyUnavailableError: The database does not answer.
    """
    with database(audit.database_url) as connection:
        tables = read_tables(connection)
        trail = Trail(
            read_verdict(connection, tables, audit.run_id),
            read_last_version(connection, tables),
            read_accepted_version(connection, tables),
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

    Raises:
        BadDataError: Its row cannot be read.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        if tables.run_columns:
            cursor.execute(
                f"SELECT * FROM {RUN_TABLE} "  # noqa: S608  # a constant
                "WHERE run_id = %s AND verdict IS NOT NULL",
                [run_id],
            )
            if row := cursor.fetchone():
                return read_recorded(read_row, row, RUN_TABLE)
        if tables.has_run_id:
            cursor.execute("SELECT * FROM model_versions WHERE run_id = %s", [run_id])
            if row := cursor.fetchone():
                return read_recorded(build_result_of_version, row, "model_versions")
    return None


def read_recorded(
    read: Callable[[dict[str, Any]], Result], row: dict[str, Any], table: str
) -> Result:
    """Read the row of a run.

    Args:
        read: Converts the row.
        row: Values by column.
        table: The table of the row.

    Returns:
        The result of the run.

    Raises:
        BadDataError: A value is none that a trainer writes.
    """
    try:
        return read(dict(row))
    except (ValueError, TypeError) as error:
        problem = describe_row_problem(error)
        raise BadDataError(
            f"The row of this run in the table {table} cannot be read ({problem}). Nothing was "
            "changed. Correct or delete the row."
        ) from None


def describe_row_problem(error: Exception) -> str:
    """Return what is wrong with a row, without its values."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return type(error).__name__


def read_last_version(connection: Connection, tables: Tables) -> int:
    """Read the highest version in either table.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.

    Returns:
        The version, 0 if there is none.

    Raises:
        BadDataError: It is out of range, so that no higher one could follow.
    """
    highest = 0
    with connection.cursor() as cursor:
        for table in ["model_versions", *([RUN_TABLE] if tables.run_columns else [])]:
            cursor.execute(LAST_VERSION.format(table))
            [version] = cursor.fetchone() or [None]
            if version is not None and version > HIGHEST_VERSION:
                raise BadDataError(
                    f"The table {table} has a row with version {version:.0f}, and versions are "
                    f"whole numbers from {VERSION_RANGE}. Nothing was published. Correct or delete "
                    "the row."
                )
            highest = max(highest, int(version or 0))
    return highest


def read_accepted_version(connection: Connection, tables: Tables) -> int:
    """Read the highest version of which a person has accepted that Redis has lost it.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.

    Returns:
        The version, 0 if there is none.
    """
    if not tables.run_columns >= {"champion_version", "reason", "verdict"}:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(ACCEPTED_VERSION)
        [version] = cursor.fetchone() or [None]
    return int(version or 0)
