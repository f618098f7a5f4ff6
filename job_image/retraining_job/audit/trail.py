"""Reading of the audit trail at the start of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2.extras import RealDictCursor

from retraining_job.audit.rows import build_result_of_version
from retraining_job.audit.tables import Tables, read_tables
from retraining_job.audit.versions import read_accepted_version, read_last_version
from retraining_job.contract import (
    RUN_TABLE,
    Result,
    UnreadableRowError,
    read_row,
    select_verdict,
)
from retraining_job.contract.run_row import SESSION, select_texts
from retraining_job.infra.read_only import read_only

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.settings import AuditSettings

VERSION_TABLE = "model_versions"
SUBJECT = f"{VERSION_TABLE} and {RUN_TABLE}"
"""What is read, for messages."""

VERSION_COLUMNS = select_texts(("run_id", "version", "n_samples", "trained_at"))
VERSION_OF_RUN = (
    f"{SESSION}; SELECT {VERSION_COLUMNS} FROM {VERSION_TABLE} "  # noqa: S608  # only constants
    "WHERE run_id::text = %s LIMIT 1"
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
        BadConfigurationError: There is no table `model_versions`, or it lacks columns, or reading
            it would change the database or takes too long.
        DependencyUnavailableError: The database does not answer.
    """
    with read_only(audit.database_url, audit.read_limits, SUBJECT) as reading:
        connection = reading.connection
        tables = read_tables(connection)
        last = read_last_version(connection, tables)
        trail = Trail(
            read_verdict(connection, tables, audit.run_id),
            last,
            read_accepted_version(connection, tables, last),
        )
    if not tables.run_columns:
        log.warning(
            "The database has no table %s, so only promotions are recorded, in model_versions. "
            'Run "python -m retraining_job migrate" to add it.',
            RUN_TABLE,
        )
    return trail


def read_verdict(connection: Connection, tables: Tables, run_id: str) -> Result | None:
    """Read the recorded verdict of a run. A row that cannot be read is logged and does not count.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        run_id: The run.

    Returns:
        Its result, or None if no verdict is recorded.

    Raises:
        BadDataError: Its row cannot be read.
    """
    sources: list[tuple[str, str, Callable[[Mapping[str, object]], Result]]] = []
    if tables.run_columns:
        sources.append((RUN_TABLE, select_verdict(tables.run_columns), read_row))
    if tables.has_run_id:
        sources.append((VERSION_TABLE, VERSION_OF_RUN, build_result_of_version))
    for table, statement, build in sources:
        try:
            with connection.cursor(cursor_factory=RealDictCursor) as cursor:
                cursor.execute(statement, [run_id])
                if row := cursor.fetchone():
                    return build(row)
        except (UnreadableRowError, UnicodeDecodeError) as error:
            problem = str(error) if isinstance(error, UnreadableRowError) else "it is no text"
            log.warning(
                "The row of run %s in %s does not count, because no trainer can have written it: "
                "%s. Correct or delete it.",
                run_id,
                table,
                problem,
            )
    return None
