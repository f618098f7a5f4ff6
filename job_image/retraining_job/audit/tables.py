"""What the database offers for the audit trail: installations differ, and not all are migrated.

Driven by `audit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from psycopg2.extensions import encodings

from retraining_job.contract.database_url import SETTING
from retraining_job.errors import BadConfigurationError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

VERSION_COLUMNS = ("version", "trained_at", "trigger_reason", "precision_score", "n_samples")

COLUMNS = """
    WITH RECURSIVE kinds AS (
        SELECT attname, atttypid, atttypmod, atttypid AS kind, atttypmod AS modifier FROM pg_catalog.pg_attribute
        WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT attname, atttypid, atttypmod, typbasetype, typtypmod FROM kinds JOIN pg_catalog.pg_type ON oid = kind
        WHERE typtype = 'd'
    )
    SELECT attname::text, typname::text, pg_catalog.format_type(atttypid, atttypmod),
        CASE WHEN typname IN ('varchar', 'bpchar') AND modifier > 4 THEN modifier - 4 END
    FROM kinds JOIN pg_catalog.pg_type ON oid = kind WHERE typtype <> 'd'
"""
"""Each column with its type, of a domain the type beneath, and how long its texts may be."""


class Column(NamedTuple):
    """What a column can hold."""

    kind: str
    """Its type; of a domain, the type beneath."""
    title: str
    """Its type as people write it."""
    length: int | None
    """The longest text that it takes, where it has a limit."""


@dataclass(frozen=True)
class Tables:
    """The columns that there are to write to."""

    versions: dict[str, Column]
    """Those of `model_versions`."""
    runs: dict[str, Column]
    """Those of `retraining_runs`; empty where there is no such table."""
    codec: str
    """Python's name for the encoding of the database, which cannot hold every text."""

    @property
    def run_columns(self) -> frozenset[str]:
        """The names of the columns of `retraining_runs`."""
        return frozenset(self.runs)

    @property
    def has_run_id(self) -> bool:
        """Whether `model_versions` knows the run that each version comes from."""
        return "run_id" in self.versions and self.versions["run_id"].kind in {
            "text",
            "varchar",
        }  # else it is not ours

    def of(self, table: str) -> dict[str, Column]:
        """Return the columns of one of the two."""
        return self.versions if table == "model_versions" else self.runs


def tables_of(connection: Connection) -> Tables:
    """Look what there is to write to.

    Raises:
        BadConfigurationError: there is no table `model_versions`, or not with the old service's columns.
    """
    versions = columns_of(connection, "model_versions")
    if not versions:
        raise BadConfigurationError(
            f"The database of {SETTING} has no table model_versions, where promotions are recorded: "
            'run "python -m retraining_job migrate" to make it.'
        )
    if missing := [name for name in VERSION_COLUMNS if name not in versions]:
        raise BadConfigurationError(
            f"The table model_versions in the database of {SETTING} lacks the columns {', '.join(missing)}."
        )
    encoding = connection.get_parameter_status("server_encoding") or "UTF8"
    codec = "utf_8" if encoding in {"UTF8", "SQL_ASCII"} else encodings.get(encoding, "ascii")
    return Tables(versions, columns_of(connection, "retraining_runs"), codec)


def columns_of(connection: Connection, table: str) -> dict[str, Column]:
    """Return what each column of a table can hold."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [table])
        return {
            name: Column(kind, title, length) for name, kind, title, length in cursor.fetchall()
        }
