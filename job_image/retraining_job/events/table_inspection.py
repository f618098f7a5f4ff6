"""Inspection of the events' table: whether it exists, may be read, and has the columns needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from retraining_job.errors import BadConfigurationError
from retraining_job.events.column_types import (
    TABLE_SETTING,
    TRUTH_SETTING,
    ColumnType,
    check_column_types,
)
from retraining_job.events.query import EventQuery

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

NO_ROWS = sql.SQL(
    'SELECT "timestamp", amount, anomaly_score, is_anomaly, {truth}, amount_vs_user_avg,'
    " features_json FROM {table} LIMIT 0"
)
EVENT_COLUMNS = (
    "timestamp",
    "amount",
    "anomaly_score",
    "is_anomaly",
    "amount_vs_user_avg",
    "features_json",
)
SELECTED = (*EVENT_COLUMNS[:4], "truth", *EVENT_COLUMNS[4:])
"""The columns of `NO_ROWS`, in its order."""

COLUMN_NAMES = """
    SELECT attname::text FROM pg_catalog.pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
COLUMN_TYPES = """
    SELECT oid, typname, typcategory, pg_catalog.format_type(oid, NULL)
    FROM pg_catalog.pg_type WHERE oid = ANY(%s)
"""


def inspect_table(cursor: Cursor, table: str, truth_column: str) -> EventQuery:
    """Check a table or view, and build the query for its columns.

    Args:
        cursor: A cursor in a transaction.
        table: Name of the table or view, with its schema if needed.
        truth_column: Name of its truth column.

    Returns:
        The query.

    Raises:
        BadConfigurationError: The table or a column does not exist, it may not be read, or a column
            has a type that cannot hold its values.
    """
    source, truth = sql.Identifier(*table.split(".")), sql.Identifier(truth_column)
    select_no_rows(cursor, NO_ROWS.format(table=source, truth=truth), table, truth_column)
    codes = [column.type_code for column in cursor.description or ()]
    cursor.execute(COLUMN_TYPES, [codes])
    by_code = {
        oid: ColumnType(name, category, title) for oid, name, category, title in cursor.fetchall()
    }
    types = {name: by_code[code] for name, code in zip(SELECTED, codes, strict=True)}
    check_column_types(types, table, truth_column)
    return EventQuery(source, truth, types)


def select_no_rows(cursor: Cursor, query: sql.Composable, table: str, truth_column: str) -> None:
    """Run the query for the columns without any row.

    Args:
        cursor: A cursor in a transaction.
        query: The query.
        table: Name of the table or view, with its schema if needed.
        truth_column: Name of its truth column.

    Raises:
        BadConfigurationError: The table or a column does not exist, or it may not be read.
    """
    try:
        cursor.execute("SAVEPOINT inspection")
        cursor.execute(query)
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
        raise BadConfigurationError(
            f'The database has no table or view "{table}". Name the one with the scored events in '
            f"{TABLE_SETTING}."
        ) from None
    except psycopg2.errors.UndefinedColumn:
        cursor.execute("ROLLBACK TO SAVEPOINT inspection")
        cursor.execute(COLUMN_NAMES, [sql.Identifier(*table.split(".")).as_string(cursor)])
        existing = {name for [name] in cursor.fetchall()}
        needed = dict.fromkeys((*EVENT_COLUMNS, truth_column))
        missing = [name for name in needed if name not in existing]
        raise build_missing_columns_error(table, missing, truth_column) from None
    except psycopg2.errors.InsufficientPrivilege:
        raise BadConfigurationError(
            f'The user of the database may not read "{table}" ({TABLE_SETTING}). Grant it SELECT.'
        ) from None


def build_missing_columns_error(
    table: str, missing: list[str], truth_column: str
) -> BadConfigurationError:
    """Build the error for columns that do not exist.

    Args:
        table: Name of the table or view.
        missing: The columns that do not exist, at least one.
        truth_column: Name of its truth column.

    Returns:
        The error.
    """
    names = ", ".join(f'"{name}"' for name in missing)
    which = f"column {names} does" if len(missing) == 1 else f"columns {names} do"
    text = f'In the table or view "{table}" ({TABLE_SETTING}), the {which} not exist.'
    if truth_column in missing:
        text += f" Name an existing truth column in {TRUTH_SETTING}."
    return BadConfigurationError(text)
