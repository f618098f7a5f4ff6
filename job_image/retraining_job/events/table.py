"""From PostgreSQL to events: the newest rows of the events' table or view.

`read_table` returns them one by one, as the `reference` preset takes them; `table_columns` builds
on the same query. Both read by COPY, which sends every type as text. So no value of any type can be
one that Python cannot hold.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from psycopg2 import sql

from retraining_job.contract import Window
from retraining_job.events.query import (
    TABLE_SETTING,
    TRUTH_COLUMN,
    TRUTH_SETTING,
    ColumnKind,
    EventQuery,
    event_query,
)
from retraining_job.infra.logs import ProgressLog
from retraining_job.infra.postgres import database

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import SupportsWrite
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from pydantic import SecretStr

__all__ = [
    "TABLE_SETTING",
    "TRUTH_COLUMN",
    "TRUTH_SETTING",
    "Event",
    "in_utc",
    "read_events",
    "read_table",
    "window_of",
]

PROGRESS = "Read %s of at most {rows:,} events."

SESSION = """
    SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601';
    SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'
"""
"""How values are written must not depend on what is set for the role, the database or the server."""

COPY = sql.SQL("COPY ({query}) TO STDOUT")
MICROSECONDS = sql.SQL('(extract(epoch FROM "timestamp") * 1000000)::bigint')
FEATURES = sql.SQL('features_json::text COLLATE "C"')
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NULL = r"\N"
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

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


class Newest(NamedTuple):
    """What is known before the newest events are read."""

    connection: Connection
    query: EventQuery
    left_out: int
    """Rows that are left out because their time cannot be used."""

    def copy(self, columns: sql.Composable, rows: int, sink: SupportsWrite[bytes]) -> None:
        """Write the newest rows of the database to a sink, each as a line of COPY's text format."""
        with self.connection.cursor() as cursor:
            if self.connection.get_parameter_status("server_encoding") == "SQL_ASCII":
                # Such a database may hold anything. It would refuse to send what is no UTF-8.
                cursor.execute("SET LOCAL client_encoding = 'SQL_ASCII'")
            cursor.copy_expert(COPY.format(query=self.query.newest(columns, rows)), sink)


def read_events(
    url: SecretStr, table: str, rows: int, truth_column: str = TRUTH_COLUMN
) -> list[Event]:
    """Return the newest events, newest first; see `read_table`."""
    return read_table(url, table, rows, truth_column)[0]


def read_table(
    url: SecretStr, table: str, rows: int, truth_column: str = TRUTH_COLUMN
) -> tuple[list[Event], int]:
    """Read the newest events.

    Args:
        url: The database.
        table: A table or view, with its schema where it needs one.
        rows: The most events to read.
        truth_column: The column that says what an event was.

    Returns:
        The events, newest first, and the number of rows that were left out because their time
        cannot be used.

    Raises:
        BadConfiguration: There is no such table or column, it may not be read, or a column has a
            type that cannot hold what it should. BadData: The database cannot compute what is asked
            of it. DependencyAway: The database does not answer.
    """
    with newest(url, table, rows, truth_column) as found:
        names = ("amount", "anomaly_score", "is_anomaly", "truth", "amount_vs_user_avg")
        columns = [MICROSECONDS, *map(found.query.value, names), FEATURES]
        readers: list[Callable[[str], object]] = [
            int,
            *(reader_of(found.query.kinds[name]) for name in names),
            plain,
        ]
        sink = EventSink(readers, rows)
        found.copy(sql.SQL(", ").join(columns), rows, sink)
        return sink.events, found.left_out


@contextmanager
def newest(url: SecretStr, table: str, rows: int, truth_column: str) -> Iterator[Newest]:
    """Open a connection, after a look at whether the table has what is needed, and count what is left out."""
    with database(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute(SESSION)
            query = event_query(cursor, table, truth_column)
            cursor.execute(query.left_out(rows))
            left_out, example = cursor.fetchone() or (0, None)
        if left_out:
            log.warning(
                "Left out %s rows of %s, because their time cannot be used: it is missing, infinite, before the year 1 "
                "or more than a year in the future%s. Correct these rows, or delete them.",
                f"{left_out:,}",
                table,
                f" (for example {example:.40})" if example else "",
            )
        yield Newest(connection, query, left_out)


class EventSink:
    """What the database writes the rows to."""

    def __init__(self, readers: list[Callable[[str], object]], rows: int) -> None:
        self.readers = readers
        self.events: list[Event] = []
        self.progress = ProgressLog(log, PROGRESS.format(rows=rows))

    def write(self, line: bytes) -> None:
        """Read a row."""
        cells = line.decode(errors="replace").removesuffix("\n").split("\t")
        time, *values = [
            None if cell == NULL else read(cell)
            for read, cell in zip(self.readers, cells, strict=True)
        ]
        self.events.append(Event(EPOCH + timedelta(microseconds=time), *values))  # type: ignore[arg-type]  # it is an int
        self.progress.at(len(self.events))


def reader_of(kind: ColumnKind) -> Callable[[str], object]:
    """Return what reads a value that is not null out of COPY's text."""
    if kind.name == "bool":
        return "t".__eq__
    return float if kind.holds_numbers and kind.category == "N" else plain


def plain(text: str) -> str:
    """Undo COPY's escapes."""
    return (
        ESCAPED.sub(lambda match: CONTROLS.get(match[1], match[1]), text) if "\\" in text else text
    )


def window_of(events: list[Event]) -> Window | None:
    """Return the window of time that the events, newest first, come from; times without a zone are taken as UTC."""
    if not events:
        return None
    return Window(
        first=in_utc(events[-1].timestamp), last=in_utc(events[0].timestamp), rows=len(events)
    )


def in_utc(time: datetime) -> datetime:
    """Return the time in UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
