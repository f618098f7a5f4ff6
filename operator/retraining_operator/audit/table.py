"""The table `retraining_runs` as the operator writes and reads it. Driven by the archive; all of it blocks.

The trainer's row of a verdict is never touched but for the log's tail.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import parse_dsn
from psycopg2.extras import RealDictCursor

from retraining_job.contract.database_login import login_failure
from retraining_job.contract.database_url import SETTING, DatabaseUrlError, connection_parameters
from retraining_operator.api.conditions import Values
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.audit.log_tail import mask_secrets
from retraining_operator.audit.row import Row
from retraining_operator.contract import (
    ErrorClass,
    Result,
    operator_upsert,
    postgres_error,
    read_row,
    writable_names,
)
from retraining_operator.contract import VerdictReason as Why

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

CONNECTION_BOUNDS = {
    "connect_timeout": "2",
    "application_name": "retraining-operator",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "5000",
}
STATEMENT_MILLISECONDS = 3000
MIGRATE = 'run "python -m retraining_job migrate" (database.migrate in the chart)'

LOGIN_SECONDS = 2.0
"""How long to look for the reason of a connection that could not be made."""

COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass('retraining_runs') AND attnum > 0 AND NOT attisdropped
"""
BOUND = f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}; SET LOCAL lock_timeout = {STATEMENT_MILLISECONDS}"
LOG_TAIL = "UPDATE retraining_runs SET log_tail = %(log_tail)s WHERE run_id = %(run_id)s"
KNOWN = f"SELECT DISTINCT request FROM retraining_runs WHERE request = ANY(%s) AND reason <> '{Why.ANNOUNCED}'"  # noqa: S608  # a word of our own
VERDICT = "SELECT * FROM retraining_runs WHERE run_id = %s AND verdict IS NOT NULL"

DONE: Values = ("True", ConditionReason.RECORDED, "The outcome is in the table retraining_runs.")
NO_COLUMN: Values = (
    "True",
    ConditionReason.RECORDED,
    "The outcome is in the table retraining_runs. The log's tail is not: the table has no column log_tail; "
    f"{MIGRATE} to add it.",
)
NO_TABLE: Values = (
    "False",
    ConditionReason.NOT_MIGRATED,
    f"The database has no table retraining_runs, so the outcome stands here alone; {MIGRATE} to add it.",
)


class AuditUnavailableError(Exception):
    """What stands in the database cannot be known; the text says why, and holds no part of the URL.

    Args:
        message: Why.
        passes: Whether another try may succeed without anybody's help.
    """

    def __init__(self, message: str, *, passes: bool = False) -> None:
        super().__init__(message)
        self.passes = passes


def write_rows(url: SecretStr, rows: Iterable[Row]) -> tuple[dict[str, Values], Values | None]:
    """Write rows, each for itself. Blocks.

    Returns:
        What became of those that there was an answer for, by their run id, and what keeps the
        database from the rest.
    """
    answers: dict[str, Values] = {}
    try:
        with closing(connect(url)) as connection:
            columns = read_columns(connection)
            for row in rows:
                answers[row["run_id"]] = (
                    write_row(connection, columns, row) if columns else NO_TABLE
                )
    except psycopg2.Error as error:
        return answers, build_error_condition(error)
    except AuditUnavailableError as error:
        return answers, build_unavailable_condition(
            str(error)
        ) if error.passes else build_refused_condition(str(error))
    return answers, None


def build_error_condition(error: psycopg2.Error) -> Values:
    """Return what the condition says about an error of the database, by its SQLSTATE alone."""
    row = classify_error(error)
    text = f"{row.meaning}: {describe_error(error)}"
    return (
        build_unavailable_condition(text)
        if row.retried
        else build_refused_condition(f"{text}. {row.advice}")
    )


def classify_error(error: psycopg2.Error) -> ErrorClass:
    """Return how an error is classified; one without a code is a broken connection."""
    return postgres_error(error.pgcode)


def write_row(connection: Connection, columns: frozenset[str], row: Row) -> Values:
    """Write one row in a transaction of its own; the others do not suffer where the database refuses it."""
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(BOUND)
            cursor.execute(operator_upsert(writable_names(row, columns)), row)
            if "log_tail" in columns and row.get("log_tail"):
                cursor.execute(LOG_TAIL, row)
    except psycopg2.Error as error:
        if connection.closed or classify_error(error).retried:
            raise
        return build_error_condition(error)
    return DONE if "log_tail" in columns else NO_COLUMN


def read_recorded_requests(url: SecretStr, requests: Sequence[str]) -> set[str]:
    """Ask which requests have a row that is final. Blocks.

    Raises:
        psycopg2.Error: the database is away, refuses, or has no table retraining_runs.
        AuditUnavailableError: the URL is wrong.
    """
    with closing(connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(BOUND)
        cursor.execute(KNOWN, [list(requests)])
        return {str(request) for [request] in cursor.fetchall()}


def read_verdict(url: SecretStr, run_id: str) -> Result | None:
    """Find the verdict of a run. Blocks.

    Raises:
        psycopg2.Error: the database is away, refuses, or has no table retraining_runs.
        AuditUnavailableError: the URL is wrong.
    """
    with (
        closing(connect(url)) as connection,
        connection,
        connection.cursor(cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.execute(BOUND)
        cursor.execute(VERDICT, [run_id])
        row = cursor.fetchone()
    return read_row(row) if row else None


def connect(url: SecretStr) -> Connection:
    """Connect, for a few seconds at most.

    Raises:
        AuditUnavailableError: The URL is wrong, or the server refuses the login or does not answer.
    """
    try:
        parts = connection_parameters(
            url.get_secret_value(), parse_dsn, os_user="PGUSER" in os.environ
        )
    except DatabaseUrlError as error:
        raise AuditUnavailableError(f"The setting {SETTING} is wrong: {error}") from None
    bounded: dict[str, Any] = {**parts, **CONNECTION_BOUNDS}
    try:
        connection: Connection = psycopg2.connect(**bounded)
    except (psycopg2.Error, UnicodeDecodeError) as error:
        failure = login_failure(bounded, LOGIN_SECONDS)
        code = f" (SQLSTATE {failure.code})" if failure.code else ""
        text = f"{failure.row.meaning}: {failure.problem or describe_error(error)}{code}"
        if not failure.row.retried:
            text = f"{text}. {failure.row.advice.rstrip('.')}"
        raise AuditUnavailableError(text, passes=failure.row.retried) from None
    return connection


def read_columns(connection: Connection) -> frozenset[str]:
    """Give the columns that there are to write to; none where there is no table."""
    with connection, connection.cursor() as cursor:
        cursor.execute(BOUND)
        cursor.execute(COLUMNS)
        return frozenset(name for [name] in cursor.fetchall())


def build_unavailable_condition(why: str) -> Values:
    """Say that it is tried again."""
    text = f"The outcome is not in the database yet. {why.rstrip('.')}. It is written as soon as that has passed."
    return "False", ConditionReason.DATABASE_UNAVAILABLE, text


def build_refused_condition(why: str) -> Values:
    """Describe what a person must correct."""
    text = f"The database does not take the outcome. {why.rstrip('.')}. It is tried again."
    return "False", ConditionReason.RECORD_REFUSED, text


def describe_error(error: Exception) -> str:
    """Return the database's own words, in whatever language, of which the first line says what is wrong."""
    if isinstance(error, UnicodeDecodeError):
        return mask_secrets(
            bytes(error.object).decode(errors="replace").strip().splitlines()[0].rstrip(".")
        )
    diagnosis = error.diag if isinstance(error, psycopg2.Error) else None
    text = (
        (diagnosis.message_primary if diagnosis else None)
        or str(error).strip()
        or type(error).__name__
    )
    code = error.pgcode if isinstance(error, psycopg2.Error) else None
    return mask_secrets(text.splitlines()[0].rstrip(".")) + (f" (SQLSTATE {code})" if code else "")
