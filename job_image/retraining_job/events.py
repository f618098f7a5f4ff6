"""From PostgreSQL to events: the newest rows of the events' table or view. Driven by `run`."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import psycopg2
from psycopg2 import sql

from retraining_job.contract import Window, environment_name, value_name
from retraining_job.database import database
from retraining_job.errors import BadConfiguration
from retraining_job.logs import with_progress

if TYPE_CHECKING:
    from pydantic import SecretStr

FETCH_ROWS = 5_000
"""Rows in each reply of the database: enough to keep it busy, few enough to say how far the reading is."""

SETTING = f"{value_name('events_table')} ({environment_name('events_table')})"

QUERY = sql.SQL(
    'SELECT "timestamp", amount, anomaly_score, is_anomaly, anomaly_label, amount_vs_user_avg, features_json::text'
    ' FROM {table} WHERE "timestamp" IS NOT NULL ORDER BY "timestamp" DESC LIMIT {rows}'
)

log = logging.getLogger(__name__)


class Event(NamedTuple):
    """One scored event, as it stands in the table; only the time is sure to be there."""

    timestamp: datetime
    amount: object
    anomaly_score: object
    is_anomaly: object
    anomaly_label: object
    amount_vs_user_avg: object
    features_json: str | None


def read_events(url: SecretStr, table: str, rows: int) -> list[Event]:
    """Read the newest events, newest first.

    Raises:
        BadConfiguration: there is no such table or column, or it may not be read.
        DependencyAway: the database does not answer.
    """
    query = QUERY.format(table=sql.Identifier(*table.split(".")), rows=sql.Literal(rows))
    with database(url) as connection, connection.cursor(name="events") as cursor:
        cursor.itersize = FETCH_ROWS
        try:
            cursor.execute(query)
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            raise BadConfiguration(
                f'There is no table or view "{table}" in the database, which {SETTING} names: '
                "name the one that holds the scored events."
            ) from None
        except psycopg2.errors.UndefinedColumn as error:
            raise BadConfiguration(
                f'The table or view "{table}", which {SETTING} names, lacks a column: {error.diag.message_primary}.'
            ) from None
        except psycopg2.errors.InsufficientPrivilege:
            raise BadConfiguration(
                f'The database\'s user may not read "{table}", which {SETTING} names: grant it SELECT.'
            ) from None
        events = list(map(Event._make, with_progress(cursor, log, f"Read %s of at most {rows:,} events.")))
    if events and not isinstance(events[0].timestamp, datetime):
        raise BadConfiguration(f'The column "timestamp" of "{table}", which {SETTING} names, holds no times.')
    return events


def window_of(events: list[Event]) -> Window | None:
    """Say which window of time the events, newest first, come from; times without a zone are taken as UTC."""
    if not events:
        return None
    return Window(first=in_utc(events[-1].timestamp), last=in_utc(events[0].timestamp), rows=len(events))


def in_utc(time: datetime) -> datetime:
    """Give the time in UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
