"""Read-only transactions with time limits: reading changes nothing and ends.

The tables that the trainer reads may be views, and a view may call any function. It runs with the
rights of the trainer's login. See docs/explanation/threat-model.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2

from retraining_job.contract import environment_name, value_name
from retraining_job.contract.postgres_errors import LIMITS
from retraining_job.errors import BadConfigurationError, DependencyUnavailableError, RunError
from retraining_job.infra.postgres import database, describe_error

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

    from retraining_job.settings import ReadLimits

SIDE_EFFECT_CODES = {"25006", "25001"}
"""SQLSTATEs of a statement that a read-only transaction does not allow, and of the attempt to make
the transaction writable."""

PRESENT_LIMITS = """
    SELECT name, setting::bigint FROM pg_catalog.pg_settings
    WHERE name IN ('statement_timeout', 'lock_timeout')
"""
"""The limits of the session, in milliseconds; 0 for none. The role, the database or the URL may
have set them."""

LIMIT_SETTINGS = {
    "statement_timeout": "read_timeout_seconds",
    "lock_timeout": "read_lock_timeout_seconds",
}
"""The trainer's setting for each limit of PostgreSQL."""


class ReadTransaction:
    """A read-only transaction.

    Args:
        connection: The connection, without an open transaction.
        limits: The time limits of each statement, or None for those of the database only.
        subject: What is read, for messages.
        session: Statements that set how values are written as text.
    """

    def __init__(
        self, connection: Connection, limits: ReadLimits | None, subject: str, session: str
    ) -> None:
        self.connection = connection
        self.subject = subject
        self._wanted = build_wanted_limits(limits)
        self._session = session
        self._effective: dict[str, int] = {}
        self._started = time.monotonic()

    def open(self) -> None:
        """Begin the transaction."""
        self.connection.readonly = True
        with self.connection.cursor() as cursor:
            cursor.execute(PRESENT_LIMITS)
            self._effective = choose_limits(dict(cursor.fetchall()), self._wanted)
        self.begin_statement()

    def begin_statement(self) -> None:
        """Set limits and text formats for the next statement.

        Must be called before each statement that reads a table or view, because the functions of a
        view can change both for the statements after it.
        """
        limits = (f"SET LOCAL {name} = {value}" for name, value in self._effective.items())
        with self.connection.cursor() as cursor:
            cursor.execute("; ".join([*limits, self._session]))
        self._started = time.monotonic()

    def convert(self, error: psycopg2.Error) -> RunError | None:
        """Convert an error that only reading has.

        Args:
            error: The error of a statement of this transaction.

        Returns:
            The converted error, or None if it has nothing to do with reading.
        """
        milliseconds = (time.monotonic() - self._started) * 1_000
        code, message = error.pgcode or "", describe_error(error)
        if code in SIDE_EFFECT_CODES:
            return build_side_effect_error(self.subject, message)
        name = LIMITS.get(code, "")
        limit = self._wanted.get(name, 0)
        is_ours = 0 < limit == self._effective.get(name)
        if not is_ours or milliseconds < 0.9 * limit:  # Else somebody has cancelled the statement.
            return None
        return build_limit_error(self.subject, message, name, limit / 1_000)


@contextmanager
def read_only(
    url: SecretStr, limits: ReadLimits | None, subject: str, session: str = ""
) -> Iterator[ReadTransaction]:
    """Open a connection with one read-only transaction, which is rolled back at the end.

    Args:
        url: The URL of the database.
        limits: The time limits of each statement, or None for those of the database only.
        subject: What is read, for messages.
        session: Statements that set how values are written as text.

    Yields:
        The open transaction.

    Raises:
        BadConfigurationError: Reading would change the database, or takes too long; or the URL,
            the password, a right or the schema is wrong.
        BadDataError: The database cannot process the data.
        DependencyUnavailableError: The database does not answer, or another transaction holds a
            lock.
    """
    with database(url) as connection:
        reading = ReadTransaction(connection, limits, subject, session)
        try:
            reading.open()
            yield reading
        except psycopg2.Error as error:
            if converted := reading.convert(error):
                raise converted from None
            raise
        connection.rollback()  # A read-only transaction may notify listeners, but only by a commit.


def build_wanted_limits(limits: ReadLimits | None) -> dict[str, int]:
    """Return the trainer's own limits by PostgreSQL's names, in milliseconds; 0 for none."""
    if limits is None:
        return {}
    return {
        "statement_timeout": round(limits.statement_seconds * 1_000),
        "lock_timeout": round(limits.lock_seconds * 1_000),
    }


def choose_limits(present: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    """Choose the limits of a session. The shorter one counts; 0 is no limit.

    Args:
        present: The limits that the session has, in milliseconds.
        wanted: The trainer's limits, in milliseconds.

    Returns:
        The limits by name, in milliseconds.
    """
    return {
        name: min((limit for limit in (value, wanted.get(name, 0)) if limit > 0), default=0)
        for name, value in present.items()
    }


def build_side_effect_error(subject: str, message: str) -> BadConfigurationError:
    """Build the error of a view whose functions would change the database.

    Args:
        subject: What is read.
        message: The server's message, with the code.

    Returns:
        The error.
    """
    return BadConfigurationError(
        f"Reading {subject} would change the database: {message}. It is read in a read-only "
        "transaction, so nothing has changed. Name a table, or a view that only reads."
    )


def build_limit_error(subject: str, message: str, name: str, seconds: float) -> RunError:
    """Build the error of a statement that has reached a limit of the trainer's settings.

    Args:
        subject: What is read.
        message: The server's message, with the code.
        name: PostgreSQL's name of the limit.
        seconds: The limit.

    Returns:
        The error. Waiting for a lock is retried.
    """
    field = LIMIT_SETTINGS[name]
    setting = f"{value_name(field)} ({environment_name(field)})"
    if name == "lock_timeout":
        return DependencyUnavailableError(
            f"Reading {subject} waited for a lock for longer than {seconds:g} s: {message}. Find "
            f"the transaction that holds it in pg_stat_activity, or raise {setting}."
        )
    return BadConfigurationError(
        f"Reading {subject} took longer than {seconds:g} s: {message}. Make the table or view "
        f'faster, for example by an index on "timestamp" DESC, or raise {setting}.'
    )
