"""Errors of PostgreSQL by their SQLSTATE: what each means, and whether it is retried.

The message of an error depends on the server's language; its SQLSTATE does not. A row for a whole
code counts before the row for its class, which is the first two characters. See Appendix A of
PostgreSQL's documentation.
"""

from __future__ import annotations

from retraining_job.contract.error_class import ErrorClass
from retraining_job.contract.verdict import Failure

UNAVAILABLE, WRONG, DATA = (
    Failure.DEPENDENCY_UNAVAILABLE,
    Failure.BAD_CONFIGURATION,
    Failure.BAD_DATA,
)

NO_CODE = "08006"
"""Stands for an error without a code: the connection broke, or could not be opened."""

WAIT = "Another attempt may succeed."
LOGIN = "Correct database.url (DATABASE_URL), or the rights of its user."
SCHEMA = "Compare the database with docs/how-to/database-and-redis.md."
FUNCTION = "Correct the view, function or trigger of the database that raises it."
POOLER = "If there is a connection pooler, let it pool transactions or sessions, not statements."
SERVER = "Check the log of the server."

POSTGRES_ERRORS = (
    ErrorClass(
        "08",
        UNAVAILABLE,
        True,
        "The database is unavailable",
        f"{WAIT} Check host, port, network and connection pooler.",
    ),
    ErrorClass(
        "08P01",
        UNAVAILABLE,
        True,
        "The database or its connection pooler rejects the connection",
        POOLER,
    ),
    ErrorClass("09", WRONG, False, "A trigger of the database fails", FUNCTION),
    ErrorClass("0A", WRONG, False, "The database does not support the operation", SCHEMA),
    ErrorClass("0B", UNAVAILABLE, True, "The database cannot begin a transaction", WAIT),
    ErrorClass("0F", DATA, False, "The database cannot read a large object", FUNCTION),
    ErrorClass("0L", WRONG, False, "A role of the database is wrong", LOGIN),
    ErrorClass("0P", WRONG, False, "A role of the database is wrong", LOGIN),
    ErrorClass("0Z", DATA, False, "A function of the database fails", FUNCTION),
    ErrorClass("10", DATA, False, "The database cannot evaluate an XQuery expression", FUNCTION),
    ErrorClass("20", DATA, False, "A function of the database fails", FUNCTION),
    ErrorClass(
        "21",
        DATA,
        False,
        "A view or function of the database returns too many rows",
        FUNCTION,
    ),
    ErrorClass(
        "22",
        DATA,
        False,
        "The database cannot process a value",
        "Correct the value, or the view.",
    ),
    ErrorClass(
        "23", WRONG, False, "A constraint of the table refuses the row", "Change the constraint."
    ),
    ErrorClass("24", WRONG, False, "The database has lost a cursor", POOLER),
    ErrorClass(
        "25", UNAVAILABLE, True, "The state of the transaction does not allow the operation", POOLER
    ),
    ErrorClass(
        "25006",
        UNAVAILABLE,
        True,
        "The database is read-only",
        "It is a replica, a failover is in progress, or default_transaction_read_only is set: "
        "database.url (DATABASE_URL) must lead to the primary, with a role that may write.",
    ),
    ErrorClass(
        "25P03",
        WRONG,
        False,
        "The database ended a transaction that was idle for too long",
        "Raise the limit.",
    ),
    ErrorClass(
        "25P04",
        WRONG,
        False,
        "The database ended a transaction that took too long",
        "Raise the limit.",
    ),
    ErrorClass("26", WRONG, False, "The database has lost a prepared statement", POOLER),
    ErrorClass(
        "27",
        WRONG,
        False,
        "A trigger of the database changes the row that is being changed",
        FUNCTION,
    ),
    ErrorClass("28", WRONG, False, "The database refuses the login", LOGIN),
    ErrorClass("2B", WRONG, False, "Rights in the database depend on each other", LOGIN),
    ErrorClass("2D", WRONG, False, "A function of the database ends the transaction", FUNCTION),
    ErrorClass("2F", DATA, False, "A function of the database fails", FUNCTION),
    ErrorClass("34", WRONG, False, "The database has lost a cursor", POOLER),
    ErrorClass("38", DATA, False, "A function of the database fails", FUNCTION),
    ErrorClass("39", DATA, False, "A function of the database fails", FUNCTION),
    ErrorClass("3B", WRONG, False, "A function of the database fails with a savepoint", FUNCTION),
    ErrorClass("3D", WRONG, False, "The server has no such database", LOGIN),
    ErrorClass("3F", WRONG, False, "The database has no such schema", SCHEMA),
    ErrorClass(
        "40",
        UNAVAILABLE,
        True,
        "The database rolled the transaction back in favour of another",
        WAIT,
    ),
    ErrorClass("42", WRONG, False, "The database refuses the statement", SCHEMA),
    ErrorClass(
        "42501",
        WRONG,
        False,
        "The user of the database lacks a right",
        "Grant it to the user in database.url (DATABASE_URL), or change the policies of row-level "
        "security.",
    ),
    ErrorClass(
        "44", WRONG, False, "The view refuses the row by its WITH CHECK OPTION", "Change the view."
    ),
    ErrorClass(
        "53",
        UNAVAILABLE,
        True,
        "The database is short of resources",
        "Give the server more resources.",
    ),
    ErrorClass("53100", UNAVAILABLE, True, "The disk of the database is full", "Free disk space."),
    ErrorClass(
        "53200", UNAVAILABLE, True, "The database is out of memory", "Give the server more memory."
    ),
    ErrorClass(
        "53300",
        UNAVAILABLE,
        True,
        "The database has no connection left",
        "Raise max_connections, or use a pooler.",
    ),
    ErrorClass(
        "53400",
        WRONG,
        False,
        "The database ended a statement at a limit of its settings",
        "Raise the limit.",
    ),
    ErrorClass("54", WRONG, False, "The statement is too large for the database", FUNCTION),
    ErrorClass(
        "55",
        WRONG,
        False,
        "An object of the database is not ready for use",
        "Refresh it, or make it ready.",
    ),
    ErrorClass("55006", UNAVAILABLE, True, "An object of the database is in use", WAIT),
    ErrorClass(
        "55P03",
        UNAVAILABLE,
        True,
        "Another transaction held a lock for longer than the database waits",
        "Find the transaction in pg_stat_activity, or raise the limit.",
    ),
    ErrorClass("57", UNAVAILABLE, True, "An administrator of the database intervened", WAIT),
    ErrorClass(
        "57014",
        WRONG,
        False,
        "The database ended a statement that took too long",
        "Raise the limit.",
    ),
    ErrorClass(
        "57P01",
        UNAVAILABLE,
        True,
        "The database is unavailable, because it or the connection was shut down",
        WAIT,
    ),
    ErrorClass(
        "57P02",
        UNAVAILABLE,
        True,
        "The database is unavailable, because it crashed",
        f"{WAIT} {SERVER}",
    ),
    ErrorClass(
        "57P03", UNAVAILABLE, True, "The database is unavailable, because it starts or stops", WAIT
    ),
    ErrorClass("57P04", WRONG, False, "The database was dropped", LOGIN),
    ErrorClass(
        "57P05",
        UNAVAILABLE,
        True,
        "The database is unavailable, because it ended an idle connection",
        WAIT,
    ),
    ErrorClass("58", UNAVAILABLE, True, "The server of the database has a system error", SERVER),
    ErrorClass(
        "72",
        UNAVAILABLE,
        True,
        "The database no longer has the snapshot that is being read",
        WAIT,
    ),
    ErrorClass("F0", UNAVAILABLE, True, "The configuration of the server is damaged", SERVER),
    ErrorClass(
        "HV", UNAVAILABLE, True, "A foreign server behind a table of the database fails", FUNCTION
    ),
    ErrorClass(
        "P0", DATA, False, "A function or trigger of the database raises an error", FUNCTION
    ),
    ErrorClass("XX", UNAVAILABLE, True, "The database has an internal error", SERVER),
)

CANCELLED = ErrorClass(
    "57014 within the limit",
    UNAVAILABLE,
    True,
    "Somebody cancelled a statement of the trainer",
    WAIT,
)
"""For a statement that was cancelled before its limit."""

TLS = ErrorClass(
    "TLS",
    WRONG,
    False,
    "The connection to the database cannot be encrypted as configured",
    "Correct sslmode, sslrootcert, sslcert and sslkey in database.url (DATABASE_URL), or the "
    "server's certificate.",
)
"""For a connection that ends before the server answers. Such an error has no code."""

UNKNOWN = ErrorClass(
    "other",
    UNAVAILABLE,
    True,
    "The database reports an error that the trainer does not know",
    f"{WAIT} {SERVER}",
)

LIMITS = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "53400": "temp_file_limit",
    "55P03": "lock_timeout",
    "57014": "statement_timeout",
}
"""The setting of PostgreSQL that causes a code."""

_ROWS = {row.code: row for row in POSTGRES_ERRORS}


def postgres_error(code: str | None) -> ErrorClass:
    """Get the row for a SQLSTATE.

    Args:
        code: Five characters, or None for an error without a code.

    Returns:
        The row of the whole code, or else of its class, or else `UNKNOWN`.
    """
    code = code or NO_CODE
    return _ROWS.get(code) or _ROWS.get(code[:2]) or UNKNOWN
