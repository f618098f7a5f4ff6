"""The table `retraining_runs` as the operator writes and reads it. Driven by the archive; all of it blocks.

The trainer's row of a verdict is never touched but for the log's tail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import parse_dsn
from psycopg2.extras import RealDictCursor

from retraining_operator.audit.log_tail import masked
from retraining_operator.audit.row import Row
from retraining_operator.contract import Reason as Why
from retraining_operator.contract import Result, Withheld, read_row
from retraining_operator.objects.conditions import Values
from retraining_operator.reason import Reason

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

WILL_NOT_PASS = re.compile(r"authentication failed|no password supplied|does not exist|pg_hba\.conf|permission denied")
"""Refusals at connecting that a person must mend; libpq gives no code for them, only text."""

COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass('retraining_runs') AND attnum > 0 AND NOT attisdropped
"""
BOUND = f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}; SET LOCAL lock_timeout = {STATEMENT_MILLISECONDS}"
LOG_TAIL = "UPDATE retraining_runs SET log_tail = %(log_tail)s WHERE run_id = %(run_id)s"
KNOWN = f"SELECT DISTINCT request FROM retraining_runs WHERE request = ANY(%s) AND reason <> '{Why.ANNOUNCED}'"  # noqa: S608  # a word of our own
VERDICT = "SELECT * FROM retraining_runs WHERE run_id = %s AND verdict IS NOT NULL"

DONE: Values = ("True", Reason.RECORDED, "The outcome is in the table retraining_runs.")
NO_COLUMN: Values = (
    "True",
    Reason.RECORDED,
    "The outcome is in the table retraining_runs. The log's tail is not: the table has no column log_tail; "
    f"{MIGRATE} to add it.",
)
NO_TABLE: Values = (
    "False",
    Reason.NOT_MIGRATED,
    f"The database has no table retraining_runs, so the outcome stands here alone; {MIGRATE} to add it.",
)


class Unreadable(Exception):
    """What stands in the database cannot be known; the text says why, and holds no part of the URL."""


def write(url: SecretStr, rows: Iterable[Row]) -> tuple[dict[str, Values], Values | None]:
    """Write rows, each for itself. Blocks.

    Returns:
        What became of those that there was an answer for, by their run id, and what keeps the database from the rest.
    """
    answers: dict[str, Values] = {}
    try:
        with closing(connect(url)) as connection:
            columns = columns_of(connection)
            for row in rows:
                answers[row["run_id"]] = write_one(connection, columns, row) if columns else NO_TABLE
    except (psycopg2.OperationalError, psycopg2.InterfaceError, errors.ReadOnlySqlTransaction) as error:
        why = explanation(error)
        return answers, refused(why) if WILL_NOT_PASS.search(why) else away(why)
    except psycopg2.Error as error:
        return answers, refused(explanation(error))
    except Unreadable as error:
        return answers, refused(str(error))
    return answers, None


def write_one(connection: Connection, columns: frozenset[str], row: Row) -> Values:
    """Write one row in a transaction of its own; the others do not suffer where the database refuses it."""
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(BOUND)
            cursor.execute(upsert(columns, row), row)
            if "log_tail" in columns and row.get("log_tail"):
                cursor.execute(LOG_TAIL, row)
    except (psycopg2.OperationalError, psycopg2.InterfaceError, errors.ReadOnlySqlTransaction):
        raise
    except psycopg2.Error as error:
        return refused(explanation(error))
    return DONE if "log_tail" in columns else NO_COLUMN


def upsert(columns: frozenset[str], row: Row) -> str:
    """Build the statement: a verdict stays, a failure gives way to what became of the run in the end.

    Where a person's decision could not be carried out, the verdict stays and what became of it changes.
    """
    names = [name for name in row if name in columns]
    kept = {"run_id", "started_at", "request", "trigger_reason", "preset", "verdict"}
    changes = ", ".join(
        f"{name} = EXCLUDED.{name}"
        if name in {"reason", "message", "finished_at", "withheld", "promoted"}
        else f"{name} = coalesce(EXCLUDED.{name}, kept.{name})"
        for name in names
        if name not in kept
    )
    decided = f" OR kept.withheld = '{Withheld.AWAITING_DECISION}' AND %(decided)s" if "withheld" in columns else ""
    return (
        f"INSERT INTO retraining_runs AS kept ({', '.join(names)}) "  # noqa: S608  # names of our own
        f"VALUES ({', '.join(f'%({name})s' for name in names)}) "
        f"ON CONFLICT (run_id) DO UPDATE SET {changes} WHERE kept.verdict IS NULL{decided}"
    )


def ask(url: SecretStr, requests: Sequence[str]) -> set[str]:
    """Ask which requests have a row that is final. Blocks.

    Raises:
        psycopg2.Error: the database is away, refuses, or has no table retraining_runs.
        Unreadable: the URL is wrong.
    """
    with closing(connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(BOUND)
        cursor.execute(KNOWN, [list(requests)])
        return {str(request) for [request] in cursor.fetchall()}


def find(url: SecretStr, run_id: str) -> Result | None:
    """Find the verdict of a run. Blocks.

    Raises:
        psycopg2.Error: the database is away, refuses, or has no table retraining_runs.
        Unreadable: the URL is wrong.
    """
    with closing(connect(url)) as connection, connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(BOUND)
        cursor.execute(VERDICT, [run_id])
        row = cursor.fetchone()
    return read_row(row) if row else None


def connect(url: SecretStr) -> Connection:
    """Connect, for a few seconds at most.

    Raises:
        Unreadable: the URL is wrong. What exactly is not told: libpq might take pieces of the password for the host.
    """
    try:
        parts: dict[str, str] = parse_dsn(url.get_secret_value())
    except (psycopg2.ProgrammingError, UnicodeDecodeError):
        parts = {"host": "@"}
    in_pieces = "@" in parts.get("host", "") + parts.get("dbname", "")
    if in_pieces or not all(port.isdigit() for port in parts.get("port", "5432").split(",")):
        raise Unreadable("database.url (DATABASE_URL) is not of the form postgresql://user:password@host:5432/database")
    bounded: dict[str, Any] = {**parts, **CONNECTION_BOUNDS}
    connection: Connection = psycopg2.connect(**bounded)
    return connection


def columns_of(connection: Connection) -> frozenset[str]:
    """Give the columns that there are to write to; none where there is no table."""
    with connection, connection.cursor() as cursor:
        cursor.execute(BOUND)
        cursor.execute(COLUMNS)
        return frozenset(name for [name] in cursor.fetchall())


def away(why: str) -> Values:
    """Say that it is tried again."""
    text = f"The outcome is not in the database yet, which is away: {why}. It is written as soon as it answers."
    return "False", Reason.DATABASE_AWAY, text


def refused(why: str) -> Values:
    """Say what a person must mend."""
    text = (
        f"The database does not take the outcome: {why}. Mend that (a missing right of the user in DATABASE_URL, say); "
        "it is tried again."
    )
    return "False", Reason.RECORD_REFUSED, text


def explanation(error: psycopg2.Error) -> str:
    """Give the database's own words, of which the first line says what is wrong."""
    text = (error.diag.message_primary if error.diag else None) or str(error).strip() or type(error).__name__
    return masked(text.splitlines()[0].rstrip("."))
