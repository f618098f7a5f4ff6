"""Connections to PostgreSQL, and its errors as ours: by their SQLSTATE alone, see `contract.postgres_errors`."""

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
from retraining_job.contract.database_login import login_failure
from retraining_job.contract.database_url import SETTING, DatabaseUrlError, connection_parameters
from retraining_job.contract.error_class import ErrorClass
from retraining_job.contract.postgres_errors import CANCELLED, LIMITS, UNKNOWN, postgres_error
from retraining_job.errors import (
    BadConfigurationError,
    BadDataError,
    DependencyUnavailableError,
    RunError,
)
from retraining_job.infra.postgres_limits import limit_of

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

CONNECTION_DEFAULTS = {
    "connect_timeout": "10",
    "application_name": "retraining-job",
    # A connection whose other end vanished is noticed after about a minute instead of two hours.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
CONNECTION_FIXED = {"client_encoding": "UTF8"}
LOGIN_SECONDS = 10.0
"""How long to look for the reason of a connection that could not be made."""

KINDS: dict[Failure, type[RunError]] = {
    Failure.BAD_CONFIGURATION: BadConfigurationError,
    Failure.BAD_DATA: BadDataError,
    Failure.DEPENDENCY_UNAVAILABLE: DependencyUnavailableError,
}


@contextmanager
def database(url: SecretStr) -> Iterator[Connection]:
    """Open a connection whose one transaction is committed at the end, or rolled back on any error.

    Raises:
        BadConfigurationError: The URL, the password, a right, a limit or the schema is wrong.
        DependencyUnavailableError: The database does not answer, or reports what may pass.
        BadDataError: The database cannot compute with the data that is asked for.
    """
    try:
        with closing(connect(url)) as connection:
            start = time.monotonic()
            try:
                with transaction(connection):
                    yield connection
            except psycopg2.Error as error:
                raise understood(error, url, connection, time.monotonic() - start) from None
    except psycopg2.Error as error:
        raise understood(error) from None


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit at the end, or roll back; unlike psycopg2's own, an error stays the one that it is."""
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(psycopg2.Error):  # as on a connection that is gone
            connection.rollback()
        raise


def connect(url: SecretStr) -> Connection:
    """Connect, and tell a wrong setting from a database that is away.

    Raises:
        BadConfigurationError: The URL is wrong, or the server refuses the login.
        DependencyUnavailableError: The server does not answer, or not now.
    """
    parts = parameters(url)
    try:
        connection: Connection = psycopg2.connect(**parts)
    except (psycopg2.Error, UnicodeDecodeError) as error:
        failure = login_failure(parts, LOGIN_SECONDS)
        raise built(
            failure.row, failure.problem or words_of(error), failure.code, f" of {SETTING}"
        ) from None
    return connection


def parameters(url: SecretStr) -> dict[str, Any]:
    """Return libpq's parameters: those of the URL, and what we want of a connection where the URL does not say.

    Raises:
        BadConfigurationError: It has not the form that it should.
    """
    try:
        parts = connection_parameters(url.get_secret_value(), parse_dsn, os_user=knows_user())
    except DatabaseUrlError as error:
        raise BadConfigurationError(f"The setting {SETTING} is wrong: {error}.") from None
    return {**CONNECTION_DEFAULTS, **parts, **CONNECTION_FIXED}


def knows_user() -> bool:
    """Return whether libpq finds a user by itself where the URL names none."""
    if os.environ.get("PGUSER"):
        return True
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:  # as in a container
        return False
    return True


def understood(
    error: psycopg2.Error,
    url: SecretStr | None = None,
    connection: Connection | None = None,
    seconds: float = 0.0,
) -> RunError:
    """Return an error of psycopg2 as one of ours.

    Args:
        error: The error.
        url: Where to ask for a limit, if one is behind it.
        connection: The connection on which it happened.
        seconds: How long the transaction had been open.
    """
    code = error.pgcode
    row, limit = postgres_error(code), ""
    if code in LIMITS and url is not None and connection is not None:
        found = None
        with suppress(psycopg2.Error, RunError):
            found = limit_of(LIMITS[code], connection, lambda: connect(url), parameters(url))
        if code == "57014" and found is not None and not found.reached(seconds):
            row = CANCELLED
        elif found is not None:
            limit = f" {found}"
            row = found.refined(row)
    is_broken = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)) or (
        connection is not None
        and connection.closed  # while it copies, psycopg2 raises an error of no class of its own
    )
    if code is None and not is_broken:
        row = UNKNOWN
    return built(row, words_of(error), code, "", limit)


def built(
    row: ErrorClass, words: str, code: str | None, where: str = "", limit: str = ""
) -> RunError:
    """Build the failure: what has happened, the server's own words, the code, and what to do.

    Args:
        row: What has happened.
        words: The server's own words.
        code: Its SQLSTATE.
        where: Which setting leads there, as the end of the first clause.
        limit: The limit behind it, as a sentence that says what to do as well.
    """
    state = f" (SQLSTATE {code})" if code else ""
    sentence = f"{row.meaning}{where}: {words}{state}.{limit or f' {row.advice}'}"
    return KINDS[row.reason](sentence)


def words_of(error: Exception) -> str:
    """Return the server's own words on one line; they may be in any language and any encoding."""
    if isinstance(error, UnicodeDecodeError):
        text = bytes(error.object).decode(errors="replace")
    else:
        primary = (
            error.diag.message_primary if isinstance(error, psycopg2.Error) and error.diag else None
        )
        text = primary or str(error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")


def explanation(error: psycopg2.Error) -> str:
    """Return the server's own words and the code."""
    return words_of(error) + (f" (SQLSTATE {error.pgcode})" if error.pgcode else "")
