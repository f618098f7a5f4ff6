"""The tables and columns of the audit trail that exist in a database.

Installations differ, and not all are migrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from psycopg2.extensions import encodings

from retraining_job.contract import RUN_TABLE
from retraining_job.contract.database_url import SETTING
from retraining_job.errors import BadConfigurationError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

VERSION_COLUMNS = ("version", "trained_at", "trigger_reason", "precision_score", "n_samples")

COLUMNS = """
    WITH RECURSIVE kinds AS (
        SELECT attname, atttypid, atttypmod, atttypid AS kind, atttypmod AS modifier
        FROM pg_catalog.pg_attribute
        WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT attname, atttypid, atttypmod, typbasetype, typtypmod
        FROM kinds JOIN pg_catalog.pg_type ON oid = kind
        WHERE typtype = 'd'
    )
    SELECT attname::text, typname::text, pg_catalog.format_type(atttypid, atttypmod),
        CASE WHEN typname IN ('varchar', 'bpchar') AND modifier > 4 THEN modifier - 4 END
    FROM kinds JOIN pg_catalog.pg_type ON oid = kind WHERE typtype <> 'd'
"""
"""Each column with its type (for a domain, the base type) and the longest text that it can hold."""


class Column(NamedTuple):
    """What a column can hold.

    Args:
        kind: Its type; for a domain, the base type.
        title: Its type as people write it.
        length: The longest text that it can hold, in characters, or None if there is no limit.
    """

    kind: str
    title: str
    length: int | None


@dataclass(frozen=True)
class Tables:
    """The columns that exist.

    Args:
        versions: The columns of `model_versions`.
        runs: The columns of `retraining_runs`; empty if there is no such table.
        codec: Python's name for the encoding of the database, which cannot hold every text.
    """

    versions: dict[str, Column]
    runs: dict[str, Column]
    codec: str

    @property
    def run_columns(self) -> frozenset[str]:
        """The names of the columns of `retraining_runs`."""
        return frozenset(self.runs)

    @property
    def has_run_id(self) -> bool:
        """Whether `model_versions` has our column run_id. A column of another type is not ours."""
        column = self.versions.get("run_id")
        return column is not None and column.kind in {"text", "varchar"}

    def of(self, table: str) -> dict[str, Column]:
        """Return the columns of one of the two tables."""
        return self.versions if table == "model_versions" else self.runs


def read_tables(connection: Connection) -> Tables:
    """Read which tables and columns exist.

    Raises:
        BadConfigurationError: There is no table `model_versions`, or it lacks columns of the old
            service.
    """
    versions = read_table_columns(connection, "model_versions")
    if not versions:
        raise BadConfigurationError(
            f"The database of {SETTING} has no table model_versions, which records promotions. "
            'Run "python -m retraining_job migrate" to create it.'
        )
    missing = [name for name in VERSION_COLUMNS if name not in versions]
    if missing:
        raise BadConfigurationError(
            f"The table model_versions in the database of {SETTING} lacks the columns "
            f"{', '.join(missing)}."
        )
    encoding = connection.get_parameter_status("server_encoding") or "UTF8"
    codec = "utf_8" if encoding in {"UTF8", "SQL_ASCII"} else encodings.get(encoding, "ascii")
    return Tables(versions, read_table_columns(connection, RUN_TABLE), codec)


def read_table_columns(connection: Connection, table: str) -> dict[str, Column]:
    """Read what each column of a table can hold.

    Args:
        connection: With an open transaction.
        table: The name of the table.

    Returns:
        Columns by name; empty if there is no such table.
    """
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [table])
        return {
            name: Column(kind, title, length) for name, kind, title, length in cursor.fetchall()
        }
