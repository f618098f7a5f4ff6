"""Connections of the operator to PostgreSQL, bounded in time, and the text of their errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import parse_dsn

from retraining_job.contract.database_login import find_login_failure
from retraining_job.contract.database_url import SETTING, DatabaseUrlError, connection_parameters
from retraining_operator.audit.log_tail import mask_secrets

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

CONNECTION_LIMITS = {
    "connect_timeout": "2",
    "application_name": "retraining-operator",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "5000",
}
LOGIN_SECONDS = 2.0
"""How long to look for the reason of a failed connection."""


class AuditUnavailableError(Exception):
    """The contents of the database are unknown.

    Args:
        message: Why. It contains no part of the URL.
        is_temporary: Whether another try may succeed although nobody changes anything.
    """

    def __init__(self, message: str, *, is_temporary: bool = False) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary


def connect_database(url: SecretStr) -> Connection:
    """Connect within a few seconds.

    Raises:
        AuditUnavailableError: If the URL is wrong, the server refuses the login, or it does not
            answer.
    """
    try:
        parts = connection_parameters(
            url.get_secret_value(), parse_dsn, os_user="PGUSER" in os.environ
        )
    except DatabaseUrlError as error:
        raise AuditUnavailableError(f"The setting {SETTING} is wrong: {error}") from None
    parameters: dict[str, Any] = {**parts, **CONNECTION_LIMITS}
    try:
        connection: Connection = psycopg2.connect(**parameters)
    except (psycopg2.Error, UnicodeDecodeError) as error:
        failure = find_login_failure(parameters, LOGIN_SECONDS)
        code = f" (SQLSTATE {failure.code})" if failure.code else ""
        text = f"{failure.row.meaning}: {failure.problem or describe_error(error)}{code}"
        if not failure.row.retried:
            text = f"{text}. {failure.row.advice.rstrip('.')}"
        raise AuditUnavailableError(text, is_temporary=failure.row.retried) from None
    return connection


def describe_error(error: Exception) -> str:
    """Return the first line of the database's own message, in its language, without secrets."""
    if isinstance(error, UnicodeDecodeError):
        text = bytes(error.object).decode(errors="replace").strip()
        return _first_line(text)
    if not isinstance(error, psycopg2.Error):
        return _first_line(str(error).strip() or type(error).__name__)
    text = error.diag.message_primary or str(error).strip() or type(error).__name__
    code = f" (SQLSTATE {error.pgcode})" if error.pgcode else ""
    return _first_line(text) + code


def _first_line(text: str) -> str:
    lines = text.splitlines() or ["an error without a message"]
    return mask_secrets(lines[0].rstrip("."))
