"""Statements on the table `retraining_runs`. All functions block.

The trainer's row of a verdict is never changed, except that what only the operator knows is added:
the end of the log and the record. Reading happens in
read-only transactions, because the table may be a view that calls functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg2
from psycopg2.extras import RealDictCursor

from retraining_operator.api.conditions import Condition
from retraining_operator.audit.connection import AuditUnavailableError, connect_database
from retraining_operator.audit.recorded import (
    DONE,
    NO_COLUMN,
    NO_TABLE,
    build_error_condition,
    build_refused_condition,
    build_unavailable_condition,
)
from retraining_operator.audit.row import Row
from retraining_operator.contract import (
    Result,
    UnreadableRowError,
    VerdictReason,
    operator_upsert,
    postgres_error,
    read_row,
    select_verdict,
    writable_names,
)

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

STATEMENT_MILLISECONDS = 3000

COLUMNS = """
    SELECT attname::text FROM pg_catalog.pg_attribute
    WHERE attrelid = to_regclass('retraining_runs') AND attnum > 0 AND NOT attisdropped
"""
LIMITS = (
    f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}; "
    f"SET LOCAL lock_timeout = {STATEMENT_MILLISECONDS}"
)
OPERATOR_COLUMNS = ("log_tail", "record_key")
"""What only the operator knows. It is added to every row, also to that of a verdict."""
RECORDED_RECORDS = (
    "SELECT DISTINCT record_key::text AS record_key "  # noqa: S608  # only a constant is inserted
    "FROM retraining_runs "
    f"WHERE record_key::text = ANY(%s) AND reason <> '{VerdictReason.ANNOUNCED}'"
)


def write_rows(
    url: SecretStr, rows: Iterable[Row]
) -> tuple[dict[str, Condition], Condition | None]:
    """Write rows, each in a transaction of its own.

    Args:
        url: The database.
        rows: The rows.

    Returns:
        The condition Recorded of each row that the database answered, by run id; and the condition
        of all others, or None if there are none.
    """
    answers: dict[str, Condition] = {}
    try:
        with closing(connect_database(url)) as connection:
            columns = read_columns(connection)
            for row in rows:
                answer = write_row(connection, columns, row) if columns else NO_TABLE
                answers[row["run_id"]] = answer
    except psycopg2.Error as error:
        return answers, build_error_condition(error)
    except AuditUnavailableError as error:
        build = build_unavailable_condition if error.is_temporary else build_refused_condition
        return answers, build(str(error))
    return answers, None


def write_row(connection: Connection, columns: frozenset[str], row: Row) -> Condition:
    """Write one row. A refused row does not affect the others.

    Args:
        connection: An open connection.
        columns: The columns that the table has.
        row: The row.

    Returns:
        The condition Recorded.

    Raises:
        psycopg2.Error: If the database is unavailable.
    """
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(LIMITS)
            cursor.execute(operator_upsert(writable_names(row, columns)), row)
            for name in OPERATOR_COLUMNS:
                if name in columns and row.get(name):
                    cursor.execute(update_column(name), row)
    except psycopg2.Error as error:
        if connection.closed or postgres_error(error.pgcode).retried:
            raise
        return build_error_condition(error)
    return DONE if columns.issuperset(OPERATOR_COLUMNS) else NO_COLUMN


def update_column(name: str) -> str:
    """Build the statement that sets one column of a row. It has the parameters of the row."""
    return f"UPDATE retraining_runs SET {name} = %({name})s WHERE run_id = %(run_id)s"  # noqa: S608


@contextmanager
def reading(connection: Connection) -> Iterator[RealDictCursor]:
    """Open a read-only transaction with time limits, which is rolled back at the end.

    Args:
        connection: A connection without an open transaction.

    Yields:
        A cursor whose rows are dictionaries.
    """
    try:
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(f"SET TRANSACTION READ ONLY; {LIMITS}")
            yield cursor
    finally:
        with suppress(psycopg2.Error):  # The connection may be broken.
            connection.rollback()


def read_columns(connection: Connection) -> frozenset[str]:
    """Read the names of the table's columns. The set is empty if there is no table."""
    with reading(connection) as cursor:
        cursor.execute(COLUMNS)
        return frozenset(row["attname"] for row in cursor.fetchall())


def read_recorded_records(url: SecretStr, keys: Sequence[str]) -> set[str]:
    """Read which records have a request with a final row, under any of its names.

    Args:
        url: The database.
        keys: The keys of the records.

    Returns:
        Those that have one.

    Raises:
        psycopg2.Error: If the database is unavailable, refuses, or has no table retraining_runs
            with a column record_key.
        AuditUnavailableError: If the URL is wrong, or the server refuses the login.
    """
    with closing(connect_database(url)) as connection, reading(connection) as cursor:
        cursor.execute(RECORDED_RECORDS, [list(keys)])
        return {str(row["record_key"]) for row in cursor.fetchall()}


def read_verdict(url: SecretStr, run_id: str) -> Result | None:
    """Read the verdict of a run.

    Args:
        url: The database.
        run_id: The run.

    Returns:
        The verdict, or None if there is none.

    Raises:
        UnreadableRowError: If no trainer can have written the row.
        psycopg2.Error: If the database is unavailable or refuses.
        AuditUnavailableError: If the URL is wrong, or the server refuses the login.
    """
    with closing(connect_database(url)) as connection:
        columns = read_columns(connection)
        if not columns:
            return None
        with reading(connection) as cursor:
            cursor.execute(select_verdict(columns), [run_id])
            try:
                row = cursor.fetchone()
            except UnicodeDecodeError:
                raise UnreadableRowError("it is no text") from None
    return read_row(row) if row else None
