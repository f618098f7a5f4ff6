"""Conversion of refused rows to errors that name the table, the constraint and the value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg2

from retraining_job.contract.postgres_errors import postgres_error
from retraining_job.errors import BadConfigurationError
from retraining_job.infra.postgres import describe_error

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from retraining_job.audit.tables import Column, Tables

ROW_CLASSES = {
    "09",
    "0A",
    "20",
    "21",
    "22",
    "23",
    "27",
    "2F",
    "38",
    "39",
    "3F",
    "42",
    "44",
    "54",
    "55",
    "P0",
}
"""Classes of SQLSTATE that concern the row, its table and its triggers, not the connection."""

DUPLICATE = "23505"

CONSTRAINED = """
    SELECT attname::text FROM pg_catalog.pg_constraint
    JOIN pg_catalog.pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
    WHERE conrelid = to_regclass(%s) AND conname = %s
"""

VALUE_LIMIT_CHARACTERS = 80
DETAIL_LIMIT_CHARACTERS = 200

ADVICE = {
    "22": "Change the type of the column so that it can hold the value.",
    "23": "Change the constraint so that it accepts the row.",
}


class SilentRefusalError(Exception):
    """The database has reported success, and the row does not exist."""


class RefusedRowError(BadConfigurationError):
    """A table refuses a row.

    Args:
        message: A sentence that names the table, the constraint and the value.
        code: The SQLSTATE; empty if there is none.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.is_duplicate = code == DUPLICATE


def build_checked_statement(statement: str) -> str:
    """Build a statement with a savepoint before it and a check of deferred constraints after it."""
    return f"SAVEPOINT row_write; {statement}; SET CONSTRAINTS ALL IMMEDIATE"


@contextmanager
def convert_refusals(
    connection: Connection, tables: Tables, table: str, row: Mapping[str, Any]
) -> Iterator[None]:
    """Convert the error if the database refuses a row.

    The statement in the block must come from `build_checked_statement`.

    Args:
        connection: With an open transaction, which continues after a refusal.
        tables: The tables and columns that exist.
        table: The table that is written.
        row: The row.

    Yields:
        Nothing.

    Raises:
        RefusedRowError: The table refuses the row.
        psycopg2.Error: Something else is wrong.
    """
    with connection.cursor() as cursor:
        try:
            yield
        except SilentRefusalError:
            cursor.execute("ROLLBACK TO SAVEPOINT row_write")
            raise RefusedRowError(
                f"The table {table} does not store the row of this run: a trigger, a rule or a "
                "policy of row-level security drops or hides it without an error. Change that.",
                "",
            ) from None
        except psycopg2.Error as error:
            code = error.pgcode or ""
            if connection.closed or code[:2] not in ROW_CLASSES or postgres_error(code).retried:
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT row_write")
            raise RefusedRowError(
                describe_refusal(cursor, error, table, row, tables.of(table)), code
            ) from None


def describe_refusal(
    cursor: Cursor,
    error: psycopg2.Error,
    table: str,
    row: Mapping[str, Any],
    columns: Mapping[str, Column],
) -> str:
    """Describe which table refuses which value, and by which constraint.

    Args:
        cursor: With an open transaction.
        error: The refusal.
        table: The table.
        row: The row.
        columns: The columns of the table.

    Returns:
        Sentences that say what happened and what to do.
    """
    code, constraint = error.pgcode or "", error.diag.constraint_name
    words = describe_error(error)
    names = find_refused_columns(cursor, error, table, row, columns)
    text = f"The table {table} refuses the row of this run: {words}."
    if constraint and constraint not in words:
        text += f" The constraint is {constraint}."
    if names:
        text += f" The row has {', '.join(format_value(name, row, columns) for name in names)}."
    elif error.diag.message_detail:
        detail = " ".join(error.diag.message_detail.split())[:DETAIL_LIMIT_CHARACTERS]
        text += f" {detail.rstrip('.')}."
    return f"{text} {ADVICE.get(code[:2]) or postgres_error(code).advice}"


def format_value(name: str, row: Mapping[str, Any], columns: Mapping[str, Column]) -> str:
    """Format a value of the row.

    Args:
        name: The column.
        row: The row.
        columns: The columns of the table.

    Returns:
        `name = "value" (a column of type ...)`, cut off after 80 characters of the value.
    """
    value = row.get(name)
    text = "null" if value is None else f'"{value}"'
    if len(text) > VALUE_LIMIT_CHARACTERS:
        text = f'{text[:VALUE_LIMIT_CHARACTERS]}..."'
    return f"{name} = {text}" + (
        f" (a column of type {columns[name].title})" if name in columns else ""
    )


def find_refused_columns(
    cursor: Cursor,
    error: psycopg2.Error,
    table: str,
    row: Mapping[str, Any],
    columns: Mapping[str, Column],
) -> list[str]:
    """Find the columns that a refusal is about.

    If the database does not name a column, each value is converted to the type of its column until
    one fails.

    Args:
        cursor: With an open transaction.
        error: The refusal.
        table: The table.
        row: The row.
        columns: The columns of the table.

    Returns:
        The names of the columns; empty if they cannot be found.
    """
    if error.diag.column_name:
        return [error.diag.column_name]
    if error.diag.constraint_name and error.diag.table_name:
        cursor.execute(CONSTRAINED, [table, error.diag.constraint_name])
        return [name for [name] in cursor.fetchall()]
    if (error.pgcode or "")[:2] not in {"22", "23"}:
        return []
    for name, value in row.items():
        column = columns.get(name)
        if column is None or value is None or isinstance(value, dict):
            continue
        if column.length is not None and len(str(value)) > column.length:
            return [name]
        cursor.execute("SAVEPOINT one_value")
        try:
            cursor.execute(f"SELECT CAST(%s AS {column.title})", [value])
        except psycopg2.Error:
            cursor.execute("ROLLBACK TO SAVEPOINT one_value")
            return [name]
    return []
