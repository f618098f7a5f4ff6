"""Migration of the database's schema: what is missing is added, what exists is left as it is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg2

from retraining_job.audit.tables import read_table_columns
from retraining_job.contract import (
    ADDED_COLUMNS,
    CREATE_RUN_TABLE,
    RENAMED_COLUMNS,
    RUN_TABLE,
    RunColumn,
)
from retraining_job.errors import BadConfigurationError
from retraining_job.infra.postgres import database, describe_error

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

MIGRATION_LOCK = 7_385_002
"""The advisory lock by which one migration waits for another."""

TABLES = {
    "scored_events": """
        CREATE TABLE scored_events (
            "timestamp" TIMESTAMPTZ NOT NULL,
            amount DOUBLE PRECISION,
            anomaly_score DOUBLE PRECISION,
            is_anomaly BOOLEAN,
            anomaly_label INTEGER,
            amount_vs_user_avg DOUBLE PRECISION,
            features_json JSONB
        );
        CREATE INDEX scored_events_timestamp ON scored_events ("timestamp" DESC);
    """,
    "model_versions": """
        CREATE TABLE model_versions (
            version BIGINT NOT NULL,
            trained_at TIMESTAMPTZ NOT NULL,
            trigger_reason TEXT,
            precision_score DOUBLE PRECISION,
            n_samples INTEGER
        );
    """,
    RUN_TABLE: CREATE_RUN_TABLE,
}

RUN_ID_COLUMN = "ALTER TABLE model_versions ADD COLUMN IF NOT EXISTS run_id TEXT"
RUN_ID_INDEX = "model_versions_run_id"
RUN_ID_UNIQUE = f"CREATE UNIQUE INDEX IF NOT EXISTS {RUN_ID_INDEX} ON model_versions (run_id)"

OWNER = """
    SELECT quote_ident(current_user), quote_ident(pg_catalog.pg_get_userbyid(relowner))
    FROM pg_catalog.pg_class WHERE oid = to_regclass(%s)
"""
SCHEMA = "SELECT quote_ident(current_user), quote_ident(coalesce(current_schema(), 'public'))"
LOGIN = "or name a Secret with the URL of another login in migration.existingSecret"

log = logging.getLogger(__name__)


def migrate(database_url: SecretStr, events_table: str) -> None:
    """Bring the database to the trainer's schema. Repeated or concurrent migrations change nothing.

    Args:
        database_url: The URL of the database.
        events_table: The table or view that events are read from.

    Raises:
        BadConfigurationError: A table is missing, and the database's user lacks the right to create
            it.
        DependencyUnavailableError: The database does not answer.
    """
    with database(database_url) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        for table in TABLES:
            # If events come from another table, an empty scored_events would only mislead.
            if table == "scored_events" and events_table != table:
                log.info("Events come from %s, so scored_events is not created.", events_table)
            elif has_table(connection, table):
                log.info("The table %s exists already.", table)
            else:
                create_table(connection, table)
        complete_run_table(connection)
        add_run_id(connection)
    log.info("The database's schema is up to date.")


def has_table(connection: Connection, table: str) -> bool:
    """Check whether there is a table or view of this name.

    Args:
        connection: With an open transaction.
        table: The name.

    Returns:
        True if there is one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        return cursor.fetchone() == (True,)


def create_table(connection: Connection, table: str) -> None:
    """Create a table. The table of events becomes a hypertable if TimescaleDB is available.

    Args:
        connection: With an open transaction.
        table: The name.

    Raises:
        BadConfigurationError: The login may not create tables in the schema.
    """
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT creation")
        try:
            cursor.execute(TABLES[table])
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.InvalidSchemaName) as error:
            cursor.execute("ROLLBACK TO SAVEPOINT creation")
            cursor.execute(SCHEMA)
            user, schema = cursor.fetchone() or ("", "")
            raise BadConfigurationError(
                f"The login {user} may not create the table {table}: {describe_error(error)}. Run "
                f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {user} as the schema's owner, {LOGIN}. "
                "All GRANT statements are in docs/how-to/database-and-redis.md."
            ) from None
    log.info("Created the table %s.", table)
    if table == "scored_events":
        create_hypertable(connection, table)


def complete_run_table(connection: Connection) -> None:
    """Rename and add the columns of `retraining_runs` that an earlier trainer has not created.

    Nothing is done if none is missing, so that a login without rights may run the migration again.

    Args:
        connection: With an open transaction.

    Raises:
        BadConfigurationError: A column is missing, and the login does not own the table.
    """
    for column in RENAMED_COLUMNS:
        rename_column(connection, column)
    present = read_table_columns(connection, RUN_TABLE)
    for name, sql_type, *_ in ADDED_COLUMNS:
        if name not in present:
            statement = f"ALTER TABLE {RUN_TABLE} ADD COLUMN IF NOT EXISTS {name} {sql_type}"
            failure = f"Could not add the column {name} to {RUN_TABLE}"
            try_statement(connection, statement, failure, owned=RUN_TABLE)


def add_run_id(connection: Connection) -> None:
    """Add the column run_id to `model_versions`, with its unique index, if it is missing.

    The trainer works without it, so a refusal is only logged.

    Args:
        connection: With an open transaction.
    """
    failure = "Could not add the column run_id to model_versions"
    if "run_id" not in read_table_columns(connection, "model_versions") and not try_statement(
        connection, RUN_ID_COLUMN, failure
    ):
        return
    if not has_table(connection, RUN_ID_INDEX):
        try_statement(connection, RUN_ID_UNIQUE, "Could not make run_id unique in model_versions")


def rename_column(connection: Connection, column: RunColumn) -> None:
    """Rename a column of `retraining_runs` that still has its former name.

    Args:
        connection: With an open transaction.
        column: The column, with its former name.

    Raises:
        BadConfigurationError: The login does not own the table.
    """
    present = read_table_columns(connection, RUN_TABLE)
    if column.former_name in present and column.name not in present:
        change = f"the column {column.former_name} of {RUN_TABLE} to {column.name}"
        statement = f"ALTER TABLE {RUN_TABLE} RENAME {column.former_name} TO {column.name}"
        if try_statement(connection, statement, f"Could not rename {change}", owned=RUN_TABLE):
            log.info("Renamed %s.", change)


def create_hypertable(connection: Connection, table: str) -> None:
    """Convert a table to a hypertable of TimescaleDB, if that is available.

    A plain table works as well, but gets slower as it grows.

    Args:
        connection: With an open transaction.
        table: The name.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_available_extensions WHERE name = 'timescaledb'")
        if cursor.fetchone() is None:
            log.info("This database has no TimescaleDB, so %s is a plain table.", table)
            return
    failure = f"Could not convert {table} to a hypertable, so it is a plain table"
    statements = (
        "CREATE EXTENSION IF NOT EXISTS timescaledb",
        f"SELECT create_hypertable('{table}', 'timestamp')",
    )
    if all(try_statement(connection, statement, failure) for statement in statements):
        log.info("Converted %s to a hypertable of TimescaleDB.", table)


def try_statement(connection: Connection, statement: str, failure: str, *, owned: str = "") -> bool:
    """Run an optional statement, and log a warning if the database refuses it.

    Args:
        connection: With an open transaction.
        statement: The statement.
        failure: What a refusal means, as the beginning of a sentence.
        owned: The table that the login must own; empty if a refusal for lack of rights is only
            logged as well.

    Returns:
        Whether it succeeded.

    Raises:
        BadConfigurationError: The login does not own the table.
        psycopg2.Error: The database is unavailable.
    """
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT attempt")
        try:
            cursor.execute(statement)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):  # unavailable, not a refusal
            raise
        except psycopg2.Error as error:
            cursor.execute("ROLLBACK TO SAVEPOINT attempt")
            if owned and isinstance(error, psycopg2.errors.InsufficientPrivilege):
                cursor.execute(OWNER, [owned])
                user, owner = cursor.fetchone() or ("", "")
                raise BadConfigurationError(
                    f"{failure}, because the login {user} does not own the table: "
                    f"{describe_error(error)}. Run GRANT {owner} TO {user} as an administrator of "
                    f"the database, {LOGIN}."
                ) from None
            log.warning("%s: %s.", failure, describe_error(error))
            return False
        cursor.execute("RELEASE SAVEPOINT attempt")
        return True
