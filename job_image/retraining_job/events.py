"""From PostgreSQL to events: the newest rows of the events' table or view. Driven by `run`.

`read_events` gives them one by one, as the `reference` preset takes them; `table_columns` builds on the same query.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import PYDATETIME, PYDATETIMETZ

from retraining_job.contract import Tunables, Window, environment_name, value_name
from retraining_job.database import database
from retraining_job.errors import BadConfiguration
from retraining_job.logs import with_progress

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812
    from pydantic import SecretStr

FETCH_ROWS = 5_000
"""Rows in each reply of the database: enough to keep it busy, few enough to say how far the reading is."""

PROGRESS = "Read %s of at most {rows:,} events."

TABLE_SETTING = f"{value_name('events_table')} ({environment_name('events_table')})"
TRUTH_COLUMN: str = Tunables.model_fields["truth_column"].default
TRUTH_SETTING = f"{value_name('truth_column')} ({environment_name('truth_column')})"

LOOK = sql.SQL(
    'SELECT "timestamp", amount, anomaly_score, is_anomaly, {truth}, amount_vs_user_avg, features_json'
    " FROM {table} LIMIT 0"
)

NEWEST = sql.SQL(
    'SELECT {columns} FROM {table} WHERE isfinite("timestamp")'
    ' ORDER BY "timestamp" DESC, features_json::text COLLATE "C",'
    " amount, anomaly_score, is_anomaly, {truth}, amount_vs_user_avg LIMIT {rows}"
)
"""Events of the same time are ordered by all that is in them, so that it does not depend on how they are stored which
of them are among the newest. With an index on "timestamp" the database sorts no more than these."""

ALL = sql.SQL(
    '"timestamp", amount, anomaly_score, is_anomaly, {truth}, amount_vs_user_avg, features_json::text COLLATE "C"'
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


def read_events(url: SecretStr, table: str, rows: int, truth_column: str = TRUTH_COLUMN) -> list[Event]:
    """Read the newest events, newest first; the errors are those of `event_chunks`."""
    events = chain.from_iterable(event_chunks(url, table, rows, truth_column))
    return list(with_progress(events, log, PROGRESS.format(rows=rows)))


def event_chunks(url: SecretStr, table: str, rows: int, truth_column: str = TRUTH_COLUMN) -> Iterator[list[Event]]:
    """Read the newest events, newest first, some thousands at a time.

    Raises:
        BadConfiguration: there is no such table or column, it may not be read, or it holds no times.
        DependencyAway: the database does not answer.
    """
    with newest(url, table, rows, truth_column, ALL) as (connection, query), connection.cursor(name="events") as cursor:
        cursor.execute(query)
        while chunk := cursor.fetchmany(FETCH_ROWS):
            yield list(map(Event._make, chunk))


@contextmanager
def newest(
    url: SecretStr, table: str, rows: int, truth_column: str, columns: sql.SQL
) -> Iterator[tuple[Connection, sql.Composed]]:
    """Give a connection, and the query for the newest events after a look at whether the table has what it needs."""
    truth = sql.Identifier(truth_column)
    source = sql.Identifier(*table.split("."))
    with database(url) as connection:
        with connection.cursor() as cursor:
            look(cursor, LOOK.format(table=source, truth=truth), table, truth_column)
            time = cursor.description[0] if cursor.description else None
            if time is None or time.type_code not in {*PYDATETIME.values, *PYDATETIMETZ.values}:
                raise BadConfiguration(
                    f'The column "timestamp" of "{table}", which {TABLE_SETTING} names, holds no times.'
                )
        what = columns.format(truth=truth)
        yield connection, NEWEST.format(columns=what, table=source, truth=truth, rows=sql.Literal(rows))


def look(cursor: Cursor, query: sql.Composable, table: str, truth_column: str) -> None:
    """Ask for the columns without any row."""
    try:
        cursor.execute(query)
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
        raise BadConfiguration(
            f'There is no table or view "{table}" in the database, which {TABLE_SETTING} names: '
            "name the one that holds the scored events."
        ) from None
    except psycopg2.errors.UndefinedColumn as error:
        which = error.diag.message_primary or ""
        problem = f'The table or view "{table}", which {TABLE_SETTING} names, lacks a column: {which}'
        if f'"{truth_column}"' in which:
            raise BadConfiguration(
                f"{problem}. {TRUTH_SETTING} names the one that holds what an event was: name one that is there."
            ) from None
        raise BadConfiguration(f"{problem}.") from None
    except psycopg2.errors.InsufficientPrivilege:
        raise BadConfiguration(
            f'The database\'s user may not read "{table}", which {TABLE_SETTING} names: grant it SELECT.'
        ) from None


def window_of(events: list[Event]) -> Window | None:
    """Say which window of time the events, newest first, come from; times without a zone are taken as UTC."""
    if not events:
        return None
    return Window(first=in_utc(events[-1].timestamp), last=in_utc(events[0].timestamp), rows=len(events))


def in_utc(time: datetime) -> datetime:
    """Give the time in UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
