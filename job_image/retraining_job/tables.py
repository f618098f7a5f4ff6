"""What the database offers for the audit trail: installations differ, and not all are migrated. Driven by `audit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining_job.database import SETTING
from retraining_job.errors import BadConfiguration

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

VERSION_COLUMNS = ("version", "trained_at", "trigger_reason", "precision_score", "n_samples")

COLUMNS = """
    SELECT attname, typname, CASE WHEN typname = 'varchar' AND atttypmod > 4 THEN atttypmod - 4 END
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


@dataclass(frozen=True)
class Tables:
    """The columns that there are to write to."""

    run_columns: frozenset[str]
    """Those of `retraining_runs`; empty where there is no such table."""
    has_run_id: bool
    """Whether `model_versions` knows the run that each version comes from."""
    reason_length: int | None
    """The longest reason that `model_versions` takes, where it has a limit."""


def tables_of(connection: Connection) -> Tables:
    """Look what there is to write to.

    Raises:
        BadConfiguration: there is no table `model_versions`, or not with the old service's columns.
    """
    versions = columns_of(connection, "model_versions")
    if not versions:
        raise BadConfiguration(
            f"The database of {SETTING} has no table model_versions, where promotions are recorded: "
            'run "python -m retraining_job migrate" to make it.'
        )
    if missing := [name for name in VERSION_COLUMNS if name not in versions]:
        raise BadConfiguration(
            f"The table model_versions in the database of {SETTING} lacks the columns {', '.join(missing)}."
        )
    return Tables(
        frozenset(columns_of(connection, "retraining_runs")),
        has_run_id=versions.get("run_id", ("none", None))[0] in {"text", "varchar"},  # else it is not our column
        reason_length=versions["trigger_reason"][1],
    )


def columns_of(connection: Connection, table: str) -> dict[str, tuple[str, int | None]]:
    """Give each column's type and, where its texts have one, their greatest length."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [table])
        return {name: (kind, length) for name, kind, length in cursor.fetchall()}
