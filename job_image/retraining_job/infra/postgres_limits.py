"""The limit of PostgreSQL that has ended a statement: its size, and for whom it is set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining_job.contract import DATABASE_URL
from retraining_job.contract.error_class import ErrorClass

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

VALUE = "SELECT reset_val::bigint, coalesce(unit, '') FROM pg_catalog.pg_settings WHERE name = %s"
"""The value at the start of the session. The current value may be one that the trainer has set."""

OWNER = """
    SELECT
        quote_ident(session_user), quote_ident(current_database()), setrole <> 0, setdatabase <> 0
    FROM pg_catalog.pg_db_role_setting
    WHERE setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
        AND setdatabase IN
            (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
        AND EXISTS (SELECT FROM unnest(setconfig) AS one WHERE one LIKE %s)
    ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1
"""
"""The most specific of the settings for a role in a database, a role, a database, and all."""

MILLISECONDS = {"ms": 1, "s": 1_000, "min": 60_000}


@dataclass(frozen=True)
class Limit:
    """A limit, and for whom it is set.

    Args:
        name: The setting of PostgreSQL.
        value: Its value.
        unit: The unit of the value, as PostgreSQL names it; may be empty.
        owner: For whom it is set.
        change: The statement that changes it, up to the name of the setting; may be empty.
    """

    name: str
    value: int
    unit: str
    owner: str
    change: str

    def is_reached(self, seconds: float) -> bool:
        """Return whether this limit may have ended a statement after that many seconds."""
        limit = self.value * MILLISECONDS.get(self.unit, 1) / 1_000
        return 0 < limit <= seconds + 0.1 * limit + 0.01

    def refine(self, row: ErrorClass) -> ErrorClass:
        """Return the row of the error table with a meaning that names the limit's owner."""
        return replace(row, meaning=f"{row.meaning}, by a limit that is set for {self.owner}")

    def __str__(self) -> str:
        """Return what to do, as sentences."""
        how = f"{self.change} {self.name} = ..." if self.change else f"change {self.name} there"
        unit = f" {self.unit}" if self.unit else ""
        size = f"{self.name} = {self.value:,}{unit}"
        return f"The limit is {size}, set for {self.owner}. Raise it: {how}."


def find_limit(
    name: str, connection: Connection, connect: Callable[[], Connection], parts: Mapping[str, str]
) -> Limit | None:
    """Find a limit. If the connection that reached it is closed, open another one.

    Args:
        name: The setting of PostgreSQL.
        connection: The connection on which a statement reached the limit.
        connect: Opens another connection.
        parts: The parameters of the connection.

    Returns:
        The limit, or None if the server does not know it.

    Raises:
        psycopg2.Error: It cannot be looked up.
        RunError: Another connection cannot be opened.
    """
    if connection.closed:
        with closing(connect()) as another:
            return read_limit(another, name, parts)
    connection.rollback()
    return read_limit(connection, name, parts)


def read_limit(connection: Connection, name: str, parts: Mapping[str, str]) -> Limit | None:
    """Read a limit and its owner.

    Args:
        connection: Without an open transaction.
        name: The setting of PostgreSQL.
        parts: The parameters of the connection.

    Returns:
        The limit, or None if the server does not know it.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(VALUE, [name])
        found = cursor.fetchone()
        if found is None:
            return None
        value, unit = found
        # As a whole word, because deadlock_timeout contains lock_timeout.
        if re.search(rf"\b{name}\b", parts.get("options", "")):
            return Limit(
                name,
                value,
                unit,
                f"the connection, by options in database.url ({DATABASE_URL})",
                "",
            )
        cursor.execute(OWNER, [f"{name}=%"])
        owner = cursor.fetchone()
    if owner is None:
        return Limit(name, value, unit, "the whole server", "ALTER SYSTEM SET")
    return Limit(name, value, unit, *describe_owner(*owner))


def describe_owner(role: str, database: str, for_role: bool, for_database: bool) -> tuple[str, str]:
    """Describe for whom a limit is set, and the statement that changes it.

    Args:
        role: The role of the session, quoted.
        database: The database of the session, quoted.
        for_role: Whether the limit is set for this role only.
        for_database: Whether the limit is set for this database only.

    Returns:
        The owner, and the statement up to the name of the setting.
    """
    if for_role and for_database:
        return (
            f"the role {role} in the database {database}",
            f"ALTER ROLE {role} IN DATABASE {database} SET",
        )
    if for_role:
        return f"the role {role}", f"ALTER ROLE {role} SET"
    if for_database:
        return f"the database {database}", f"ALTER DATABASE {database} SET"
    return "all roles", "ALTER ROLE ALL SET"
