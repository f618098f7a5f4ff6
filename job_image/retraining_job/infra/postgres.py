"""Connections to PostgreSQL, and the conversion of its errors by their SQLSTATE."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import parse_dsn

from retraining_job.contract import Failure
from retraining_job.contract.database_login import find_login_failure
from retraining_job.contract.database_url import SETTING, DatabaseUrlError, connection_parameters
from retraining_job.contract.error_class import ErrorClass
from retraining_job.contract.postgres_errors import CANCELLED, LIMITS, UNKNOWN, postgres_error
from retraining_job.errors import (
    BadConfigurationError,
    BadDataError,
    DependencyUnavailableError,
    RunError,
)
from retraining_job.infra.postgres_limits import find_limit

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

CONNECTION_DEFAULTS = {
    "connect_timeout": "10",
    "application_name": "retraining-job",
    # A connection whose other end has vanished is detected after about a minute, not two hours.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
CONNECTION_FIXED = {"client_encoding": "UTF8"}
LOGIN_SECONDS = 10.0
"""How long to look for the reason of a failed connection."""

KINDS: dict[Failure, type[RunError]] = {
    Failure.BAD_CONFIGURATION: BadConfigurationError,
    Failure.BAD_DATA: BadDataError,
    Failure.DEPENDENCY_UNAVAILABLE: DependencyUnavailableError,
}


@contextmanager
def database(url: SecretStr) -> Iterator[Connection]:
    """Open a connection with one transaction. Commit it at the end, or roll back on any error.

    Raises:
        BadConfigurationError: The URL, the password, a right, a limit or the schema is wrong.
        BadDataError: The database cannot process the data.
        DependencyUnavailableError: The database does not answer, or another attempt may succeed.
    """
    try:
        with closing(connect(url)) as connection:
            start = time.monotonic()
            try:
                with transaction(connection):
                    yield connection
            except psycopg2.Error as error:
                seconds = time.monotonic() - start
                raise convert_error(error, url, connection, seconds) from None
    except psycopg2.Error as error:
        raise convert_error(error) from None


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit at the end of the block. If the block raises, roll back and raise the same error.

    psycopg2's own context manager would raise the error of a failed rollback instead.
    """
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(psycopg2.Error):  # The connection may be broken.
            connection.rollback()
        raise


def connect(url: SecretStr) -> Connection:
    """Open a connection.

    Raises:
        BadConfigurationError: The URL is wrong, or the server refuses the login.
        DependencyUnavailableError: The server does not answer, or does not accept connections now.
    """
    parts = get_parameters(url)
    try:
        connection: Connection = psycopg2.connect(**parts)
    except (psycopg2.Error, UnicodeDecodeError) as error:
        failure = find_login_failure(parts, LOGIN_SECONDS)
        message = failure.problem or get_server_message(error)
        raise build_error(failure.row, message, failure.code, f" of {SETTING}") from None
    return connection


def get_parameters(url: SecretStr) -> dict[str, Any]:
    """Get libpq's parameters: those of the URL, with our defaults.

    Raises:
        BadConfigurationError: The URL is malformed.
    """
    try:
        parts = connection_parameters(url.get_secret_value(), parse_dsn, os_user=has_os_user())
    except DatabaseUrlError as error:
        raise BadConfigurationError(f"The setting {SETTING} is wrong: {error}.") from None
    return {**CONNECTION_DEFAULTS, **parts, **CONNECTION_FIXED}


def has_os_user() -> bool:
    """Return whether libpq finds a user by itself if the URL names none."""
    if os.environ.get("PGUSER"):
        return True
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:  # in a container, for example
        return False
    return True


def convert_error(
    error: psycopg2.Error,
    url: SecretStr | None = None,
    connection: Connection | None = None,
    seconds: float = 0.0,
) -> RunError:
    """Convert an error of psycopg2 to one of ours.

    Args:
        error: The error.
        url: The URL of the database, to look up the limit that may have caused the error.
        connection: The connection on which it happened.
        seconds: How long the transaction had been open.

    Returns:
        The converted error.
    """
    code = error.pgcode
    row, limit = postgres_error(code), ""
    if code in LIMITS and url is not None and connection is not None:
        found = None
        with suppress(psycopg2.Error, RunError):
            found = find_limit(LIMITS[code], connection, lambda: connect(url), get_parameters(url))
        if code == "57014" and found is not None and not found.is_reached(seconds):
            row = CANCELLED
        elif found is not None:
            limit = f" {found}"
            row = found.refine(row)
    is_broken = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)) or (
        connection is not None
        and connection.closed  # during a copy, psycopg2 raises an error without a class of its own
    )
    if code is None and not is_broken:
        row = UNKNOWN
    return build_error(row, get_server_message(error), code, "", limit)


def build_error(
    row: ErrorClass, message: str, code: str | None, where: str = "", limit: str = ""
) -> RunError:
    """Build an error that says what happened, the server's message, the code, and what to do.

    Args:
        row: What happened, and what to do.
        message: The server's message.
        code: Its SQLSTATE.
        where: Which setting leads there, as the end of the first clause.
        limit: The limit that caused it, as sentences that replace the advice.

    Returns:
        The error.
    """
    state = f" (SQLSTATE {code})" if code else ""
    sentence = f"{row.meaning}{where}: {message}{state}.{limit or f' {row.advice}'}"
    return KINDS[row.reason](sentence)


def get_server_message(error: Exception) -> str:
    """Get the server's message on one line. It may be in any language and any encoding."""
    if isinstance(error, UnicodeDecodeError):
        text = bytes(error.object).decode(errors="replace")
    else:
        primary = (
            error.diag.message_primary if isinstance(error, psycopg2.Error) and error.diag else None
        )
        text = primary or str(error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")


def describe_error(error: psycopg2.Error) -> str:
    """Return the server's message and the code."""
    return get_server_message(error) + (f" (SQLSTATE {error.pgcode})" if error.pgcode else "")
