"""Connections to PostgreSQL, and psycopg2's errors as ours. Used by events, audit and schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import parse_dsn

from retraining_job.contract import DATABASE_URL
from retraining_job.errors import BadConfiguration, BadData, DependencyAway

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

SETTING = f"database.url ({DATABASE_URL})"

CONNECTION_DEFAULTS = {
    "connect_timeout": "10",
    "application_name": "retraining-job",
    # A connection whose other end vanished is noticed after about a minute instead of two hours.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}

WILL_NOT_PASS = re.compile(
    r"authentication failed|no password supplied|does not exist|pg_hba\.conf|permission denied"
    r"|not permitted to log in|certificate|does not support SSL"
)
"""Refusals at connecting that waiting does not mend; libpq gives no code for them, only text."""


@contextmanager
def database(url: SecretStr) -> Iterator[Connection]:
    """Give a connection whose one transaction is committed at the end, or rolled back on any error.

    Raises:
        BadConfiguration: the URL, the password or the schema is wrong.
        DependencyAway: the database does not answer.
        BadData: the database cannot compute what is asked of it.
    """
    try:
        with closing(connect(url)) as connection, connection:
            yield connection
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise DependencyAway(f"The database is away: {explanation(error)}.") from None
    except psycopg2.ProgrammingError as error:
        raise BadConfiguration(f"The database of {SETTING} refuses: {explanation(error)}.") from None
    except psycopg2.Error as error:
        raise BadData(f"The database reports: {explanation(error)}.") from None


def connect(url: SecretStr) -> Connection:
    """Connect, and tell a wrong setting from a database that is away."""
    parts = parsed(url)
    try:
        connection: Connection = psycopg2.connect(**parts)
    except psycopg2.OperationalError as error:
        text = explanation(error)
        if WILL_NOT_PASS.search(text):
            raise BadConfiguration(f"The database refuses the connection of {SETTING}: {text}.") from None
        raise DependencyAway(f"The database of {SETTING} is away: {text}.") from None
    return connection


def parsed(url: SecretStr) -> dict[str, Any]:
    """Take the URL apart, and add what we want of a connection where the URL does not say.

    Raises:
        BadConfiguration: it has not the form that it should. What exactly is wrong is not told: where a password has
            a character that should have been encoded, libpq takes pieces of it for the host or the port and says so.
    """
    try:
        parts: dict[str, str] = parse_dsn(url.get_secret_value())
    except (psycopg2.ProgrammingError, UnicodeDecodeError):
        parts = {"host": "@"}
    in_pieces = "@" in parts.get("host", "") + parts.get("dbname", "")
    if in_pieces or not all(port.isdigit() for port in parts.get("port", "5432").split(",")):
        raise BadConfiguration(
            f"The setting {SETTING} is wrong: it is not of the form postgresql://user:password@host:5432/database, "
            "or its password has characters that must be percent-encoded."
        )
    return {**CONNECTION_DEFAULTS, **parts}


def explanation(error: psycopg2.Error) -> str:
    """Give the database's own words on one line."""
    text = (error.diag.message_primary if error.diag else None) or str(error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")
