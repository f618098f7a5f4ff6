"""The database's schema: what is missing is added, what is there stays as it is.

Driven by `migrate` in `__main__`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg2

from retraining_job.contract import ADDED_COLUMNS, CREATE_RUN_TABLE, RUN_TABLE
from retraining_job.infra.postgres import database, explanation

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.settings import MigrateSettings

MIGRATION_LOCK = 7_385_002
"""Number of the advisory lock that lets one migration wait for another."""

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
            version INTEGER NOT NULL,
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


def migrate(settings: MigrateSettings) -> None:
    """Bring the database to the schema that the trainer knows; doing it again, or twice at once, changes nothing.

    Raises:
        BadConfiguration: a table is missing, and the database's user may not make it.
        DependencyAway: the database does not answer.
    """
    with database(settings.database_url) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        for table in TABLES:
            # Where events come from elsewhere, an empty table of the default's name would only
            # mislead.
            if table == "scored_events" and settings.events_table != table:
                log.info(
                    "Events come from %s, so no table scored_events is made.", settings.events_table
                )
            elif exists(connection, table):
                log.info("The table %s is there already.", table)
            else:
                make(connection, table)
        for name, sql_type, *_ in ADDED_COLUMNS:
            statement = f"ALTER TABLE {RUN_TABLE} ADD COLUMN IF NOT EXISTS {name} {sql_type}"
            attempt(connection, statement, f"Could not add the column {name} to {RUN_TABLE}")
        if attempt(connection, RUN_ID_COLUMN, "Could not add the column run_id to model_versions"):
            attempt(connection, RUN_ID_UNIQUE, "Could not make run_id unique in model_versions")
    log.info("The database's schema is up to date.")


def exists(connection: Connection, table: str) -> bool:
    """Say whether there is a table or view of this name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        return cursor.fetchone() == (True,)


def make(connection: Connection, table: str) -> None:
    """Make a table; the events' becomes a hypertable where TimescaleDB is to be had."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES[table])
    log.info("Made the table %s.", table)
    if table == "scored_events":
        make_hypertable(connection, table)


def make_hypertable(connection: Connection, table: str) -> None:
    """Let TimescaleDB keep the table in pieces by time; a plain table does as well, only slower when it grows large."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_available_extensions WHERE name = 'timescaledb'")
        if cursor.fetchone() is None:
            log.info("This database has no TimescaleDB: %s is a plain table.", table)
            return
    plain = f"Could not make {table} a hypertable, so it is a plain table"
    if attempt(connection, "CREATE EXTENSION IF NOT EXISTS timescaledb", plain) and attempt(
        connection, f"SELECT create_hypertable('{table}', 'timestamp')", plain
    ):
        log.info("Made %s a hypertable of TimescaleDB.", table)


def attempt(connection: Connection, statement: str, otherwise: str) -> bool:
    """Do what is good to have but not needed; say so where the database refuses."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT attempt")
        try:
            cursor.execute(statement)
        except (
            psycopg2.OperationalError,
            psycopg2.InterfaceError,
        ):  # not a refusal: the database went away
            raise
        except psycopg2.Error as error:
            cursor.execute("ROLLBACK TO SAVEPOINT attempt")
            log.warning("%s: %s.", otherwise, explanation(error))
            return False
        cursor.execute("RELEASE SAVEPOINT attempt")
        return True
