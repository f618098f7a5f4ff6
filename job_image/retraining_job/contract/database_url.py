"""Conversion of the setting `DATABASE_URL` to libpq's parameters.

Common variants of URLs are accepted. No message contains a part of the URL that may be a part of
the password, so messages only contain names from our own lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from retraining_job.contract.environment import DATABASE_URL

SETTING = f"database.url ({DATABASE_URL})"

Parser = Callable[[str], Mapping[str, str]]

URL_SCHEMES = {"postgres", "postgresql", "pgsql", "timescale", "timescaledb"}
"""All mean PostgreSQL. A driver may follow, as in `postgresql+psycopg2`."""

OTHER_SCHEMES = {
    "cassandra", "file", "http", "https", "mariadb", "mongodb", "mssql", "mysql", "oracle",
    "redis", "rediss", "sqlite", "sqlserver",
}  # fmt: skip

JDBC_NAMES = {"ApplicationName": "application_name", "connectTimeout": "connect_timeout"}
"""Parameters of JDBC that have another name in libpq."""

ADVICE_ON = {
    "schema": "set the search_path of the role, or name the schema in trainer.eventsTable",
    "currentSchema": "set the search_path of the role, or name the schema in trainer.eventsTable",
    "search_path": "set the search_path of the role, or name the schema in trainer.eventsTable",
    "pgbouncer": "leave it out: the trainer works behind PgBouncer without it",
    "ssl": "use sslmode=require or sslmode=verify-full",
    "sslaccept": "use sslmode=require or sslmode=verify-full",
    "sslfactory": "use sslmode and sslrootcert",
    "ssl_mode": "use sslmode",
    "ssl_ca": "use sslrootcert",
    "sslidentity": "use sslcert and sslkey",
    "sslcertificate": "use sslrootcert",
    "charset": "leave it out: the trainer always uses UTF-8",
    "encoding": "leave it out: the trainer always uses UTF-8",
    "database": "use dbname",
    "username": "use user",
    "timeout": "use connect_timeout",
    "pool_timeout": "leave it out: the trainer has no pool",
    "connection_limit": "leave it out: the trainer has no pool",
    "pool_size": "leave it out: the trainer has no pool",
    "max_overflow": "leave it out: the trainer has no pool",
    "pool_recycle": "leave it out: the trainer has no pool",
    "pool_max_conns": "leave it out: the trainer has no pool",
    "statement_cache_size": "leave it out: the trainer prepares no statements",
    "prepared_statement_cache_size": "leave it out: the trainer prepares no statements",
    "prepareThreshold": "leave it out: the trainer prepares no statements",
    "prepare_threshold": "leave it out: the trainer prepares no statements",
    "preferQueryMode": "leave it out",
    "async_fallback": "leave it out",
    "socketTimeout": "use tcp_user_timeout",
    "loginTimeout": "use connect_timeout",
    "tcpKeepAlive": "use keepalives",
    "targetServerType": "use target_session_attrs",
    "stringtype": "leave it out",
    "reWriteBatchedInserts": "leave it out",
    "server_version": "leave it out",
    "serverVersion": "leave it out",
}
"""Parameters of other drivers, and what to do about each."""

CHOICES = {
    "sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    "channel_binding": {"disable", "prefer", "require"},
    "gssencmode": {"disable", "prefer", "require"},
    "target_session_attrs": {
        "any",
        "read-write",
        "read-only",
        "primary",
        "standby",
        "prefer-standby",
    },
}

FORM = (
    "it is not of the form postgresql://user:password@host:5432/database, or its password has "
    "characters that must be percent-encoded"
)


class DatabaseUrlError(ValueError):
    """The setting is wrong. The text is the end of a sentence, without any part of a password."""


def clean_secret(secret: str) -> str:
    """Return a secret without the white space or byte-order mark that editors and shells add."""
    return secret.strip().strip("\ufeff\u200b").strip()


def connection_parameters(url: str, parse_dsn: Parser, *, os_user: bool) -> dict[str, str]:
    """Convert the setting to libpq's parameters.

    Args:
        url: The setting, a URL or libpq's own `key=value` form.
        parse_dsn: psycopg2's function, which raises ValueError or its own errors for a malformed
            text.
        os_user: Whether libpq knows a user by itself if the URL names none.

    Returns:
        The parameters by name.

    Raises:
        DatabaseUrlError: The setting is wrong.
    """
    text = normalize_url(clean_secret(url))
    check_driver_parameters(text)
    try:
        parts = {name: value for name, value in parse_dsn(text).items() if value != ""}
    except Exception:  # noqa: BLE001  # its text may contain a part of the password
        raise DatabaseUrlError(FORM) from None
    check_parameters(parts, os_user=os_user)
    return parts


def normalize_url(text: str) -> str:
    """Return the URL as libpq reads it, without additions of other drivers.

    Raises:
        DatabaseUrlError: It is for another database, or has a line break inside.
    """
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if any(mark in text for mark in "\n\r\0"):
        raise DatabaseUrlError("it has more than one line")
    text = text.removeprefix("jdbc:")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    name = re.split(r"[+.]", scheme.lower())[0]
    if name in OTHER_SCHEMES:
        raise DatabaseUrlError(
            f"it begins with {name}://, and a URL of PostgreSQL begins with postgresql://"
        )
    if name not in URL_SCHEMES or not re.fullmatch(r"[A-Za-z0-9]+(\+[A-Za-z0-9_]+)?", scheme):
        raise DatabaseUrlError(FORM)
    for theirs, ours in JDBC_NAMES.items():
        rest = re.sub(rf"([?&]){theirs}=", rf"\1{ours}=", rest)
    return f"postgresql://{rest}"


def check_driver_parameters(text: str) -> None:
    """Check that no parameter belongs to another driver.

    Raises:
        DatabaseUrlError: One does. The text has advice.
    """
    if "://" not in text:
        return
    before, _, query = text.partition("://")[2].partition("?")
    if "@" in query or "#" in query or not before:  # a ? in the password has cut the URL short
        return
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in ADVICE_ON:
            raise DatabaseUrlError(
                f"the parameter {name} is not one of libpq's, the library that connects; "
                f"{ADVICE_ON[name]}"
            )


def check_parameters(parts: Mapping[str, str], *, os_user: bool) -> None:
    """Check that a server can be reached with the parameters.

    Args:
        parts: libpq's parameters.
        os_user: Whether libpq knows a user by itself.

    Raises:
        DatabaseUrlError: A parameter is wrong.
    """
    pieces = parts.get("host", "") + parts.get("dbname", "")
    ports = parts.get("port", "").split(",")
    if "@" in pieces or not all(port.strip() == "" or port.strip().isdigit() for port in ports):
        raise DatabaseUrlError(FORM)
    if not all(port.strip() == "" or 0 < int(port) < 65_536 for port in ports):
        raise DatabaseUrlError("its port is not between 1 and 65535")
    for name, choices in CHOICES.items():
        if parts.get(name) and parts[name] not in choices:
            raise DatabaseUrlError(
                f"the parameter {name} must be one of {', '.join(sorted(choices))}"
            )
    seconds = parts.get("connect_timeout", "0").strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", seconds):
        raise DatabaseUrlError("the parameter connect_timeout must be a whole number of seconds")
    if not os_user and not {"user", "service"} & set(parts):
        raise DatabaseUrlError("it names no user")
