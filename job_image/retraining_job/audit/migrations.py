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
RUN_ID_UNIQUE = "CREATE UNIQUE INDEX IF NOT EXISTS model_versions_run_id ON model_versions (run_id)"

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
        for column in RENAMED_COLUMNS:
            rename_column(connection, column)
        for name, sql_type, *_ in ADDED_COLUMNS:
            statement = f"ALTER TABLE {RUN_TABLE} ADD COLUMN IF NOT EXISTS {name} {sql_type}"
            try_statement(connection, statement, f"Could not add the column {name} to {RUN_TABLE}")
        failure = "Could not add the column run_id to model_versions"
        if try_statement(connection, RUN_ID_COLUMN, failure):
            failure = "Could not make run_id unique in model_versions"
            try_statement(connection, RUN_ID_UNIQUE, failure)
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
    """
    with connection.cursor() as cursor:
        cursor.execute(TABLES[table])
    log.info("Created the table %s.", table)
    if table == "scored_events":
        create_hypertable(connection, table)


def rename_column(connection: Connection, column: RunColumn) -> None:
    """Rename a column of `retraining_runs` that still has its former name.

    Args:
        connection: With an open transaction.
        column: The column, with its former name.
    """
    present = read_table_columns(connection, RUN_TABLE)
    if column.former_name in present and column.name not in present:
        change = f"the column {column.former_name} of {RUN_TABLE} to {column.name}"
        statement = f"ALTER TABLE {RUN_TABLE} RENAME {column.former_name} TO {column.name}"
        if try_statement(connection, statement, f"Could not rename {change}"):
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


def try_statement(connection: Connection, statement: str, failure: str) -> bool:
    """Run an optional statement, and log a warning if the database refuses it.

    Args:
        connection: With an open transaction.
        statement: The statement.
        failure: What a refusal means, as the beginning of a sentence.

    Returns:
        Whether it succeeded.

    Raises:
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
            log.warning("%s: %s.", failure, describe_error(error))
            return False
        cursor.execute("RELEASE SAVEPOINT attempt")
        return True
