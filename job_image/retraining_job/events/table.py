"""Reading of the newest events of a table or view, one by one.

Rows are read with COPY, which sends every value as text. Therefore psycopg2 converts no value, and
none can be out of the range of a Python type.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from psycopg2 import sql

from retraining_job.events.column_types import TABLE_SETTING, TRUTH_COLUMN
from retraining_job.events.copy_text import NULL, get_cell_parser, unescape
from retraining_job.events.query import EventQuery
from retraining_job.events.scored_event import ScoredEvent
from retraining_job.events.table_inspection import inspect_table
from retraining_job.infra.logs import ProgressLog
from retraining_job.infra.read_only import ReadTransaction, read_only

if TYPE_CHECKING:
    from _typeshed import SupportsWrite
    from pydantic import SecretStr

    from retraining_job.settings import ReadLimits

PROGRESS = "Read %s of at most {rows:,} events."

SESSION = """
    SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL extra_float_digits = 3;
    SET LOCAL bytea_output = 'hex'
"""
"""The text of values must not depend on settings of the role, the database or the server."""

COPY = sql.SQL("COPY ({query}) TO STDOUT")
MICROSECONDS = sql.SQL('(extract(epoch FROM "timestamp") * 1000000)::bigint')
FEATURES = sql.SQL('features_json::text COLLATE "C"')
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALUE_COLUMNS = ("amount", "anomaly_score", "is_anomaly", "truth", "amount_vs_user_avg")

log = logging.getLogger(__name__)


class OpenTable(NamedTuple):
    """A table or view that was inspected, within a read-only transaction."""

    reading: ReadTransaction
    query: EventQuery
    left_out: int
    """Rows that are left out because their time cannot be used."""

    def copy(self, columns: sql.Composable, rows: int, sink: SupportsWrite[bytes]) -> None:
        """Copy the newest rows, newest first.

        Args:
            columns: The expressions to select.
            rows: Most rows to copy.
            sink: Gets each row as one line of COPY's text format.
        """
        connection = self.reading.connection
        self.reading.begin_statement()
        with connection.cursor() as cursor:
            if connection.get_parameter_status("server_encoding") == "SQL_ASCII":
                # Such a database may contain any bytes. If the client requests UTF-8, the server
                # reports an error for bytes that are not UTF-8.
                cursor.execute("SET LOCAL client_encoding = 'SQL_ASCII'")
            cursor.copy_expert(COPY.format(query=self.query.select_newest(columns, rows)), sink)


@contextmanager
def open_table(
    url: SecretStr, table: str, rows: int, truth_column: str, limits: ReadLimits | None
) -> Iterator[OpenTable]:
    """Open a connection, inspect the table, and count the rows that are left out.

    Args:
        url: URL of the database.
        table: Name of the table or view, with its schema if needed.
        rows: Most rows to count.
        truth_column: Name of its truth column.
        limits: The time limits of each statement, or None for those of the database only.

    Yields:
        The open table.

    Raises:
        BadConfigurationError: Reading the table or view would change the database or takes too
            long; or it does not exist, it may not be read, or its columns are wrong.
    """
    with read_only(url, limits, f'"{table}" ({TABLE_SETTING})', SESSION) as reading:
        with reading.connection.cursor() as cursor:
            query = inspect_table(cursor, table, truth_column)
            reading.begin_statement()
            cursor.execute(query.count_left_out(rows))
            left_out, example = cursor.fetchone() or (0, None)
        if left_out:
            log.warning(
                "Left out %s rows of %s, because their time cannot be used: it is missing, "
                "infinite, before the year 1 or more than a year in the future%s. Correct or "
                "delete these rows.",
                f"{left_out:,}",
                table,
                f" (for example {example:.40})" if example else "",
            )
        yield OpenTable(reading, query, left_out)


def read_table_events(
    url: SecretStr,
    table: str,
    rows: int,
    truth_column: str = TRUTH_COLUMN,
    limits: ReadLimits | None = None,
) -> tuple[list[ScoredEvent], int]:
    """Read the newest events.

    Args:
        url: URL of the database.
        table: Name of the table or view, with its schema if needed.
        rows: Most events to read.
        truth_column: Name of its truth column.
        limits: The time limits of each statement, or None for those of the database only.

    Returns:
        The events, newest first, and the number of rows that were left out because their time
        cannot be used.

    Raises:
        BadConfigurationError: The table or a column does not exist, it may not be read, a column
            has a type that cannot hold its values, or reading changes the database or takes too
            long.
        BadDataError: The database cannot compute a value of a row.
        DependencyUnavailableError: The database does not answer.
    """
    with open_table(url, table, rows, truth_column, limits) as opened:
        values = map(opened.query.get_value_expression, VALUE_COLUMNS)
        columns = sql.SQL(", ").join([MICROSECONDS, *values, FEATURES])
        parsers = [get_cell_parser(opened.query.types[name]) for name in VALUE_COLUMNS]
        sink = EventSink([int, *parsers, unescape], rows)
        opened.copy(columns, rows, sink)
        return sink.events, opened.left_out


class EventSink:
    """Receives rows from the database and makes events of them.

    Args:
        parsers: Parse the cells of a row that are not null.
        rows: Most rows, for the progress log.
    """

    def __init__(self, parsers: list[Callable[[str], object]], rows: int) -> None:
        self.parsers = parsers
        self.events: list[ScoredEvent] = []
        self.progress = ProgressLog(log, PROGRESS.format(rows=rows))

    def write(self, line: bytes) -> None:
        """Parse a row of COPY's text format."""
        cells = line.decode(errors="replace").removesuffix("\n").split("\t")
        time, *values = [
            None if cell == NULL else parse(cell)
            for parse, cell in zip(self.parsers, cells, strict=True)
        ]
        timestamp = EPOCH + timedelta(microseconds=time)  # type: ignore[arg-type]  # it is an int
        self.events.append(ScoredEvent(timestamp, *values))  # type: ignore[arg-type]
        self.progress.at(len(self.events))
