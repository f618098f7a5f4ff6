"""Reading of the newest events of a table or view as columns.

A normal query turns every value into a Python object, and the database waits while they are
processed. COPY sends text without waiting, and only the values that are needed become objects.
Therefore reading takes hardly more time than the database needs to send the rows.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from psycopg2 import sql

from retraining_job.events.column_builder import COLUMN_FEATURES, ColumnBuilder
from retraining_job.events.column_types import TRUTH_COLUMN
from retraining_job.events.copy_text import NULL, parse_number_cell, unescape
from retraining_job.events.table import FEATURES, MICROSECONDS, PROGRESS, open_table
from retraining_job.events.truth import UNKNOWN, parse_truth
from retraining_job.infra.logs import ProgressLog

if TYPE_CHECKING:
    from pydantic import SecretStr

    from retraining_job.events.columns import Columns
    from retraining_job.settings import ReadLimits

CHUNK_ROWS = 2_000
"""Rows that are added to the columns at a time. The connection's buffers can hold what the database
sends meanwhile."""

log = logging.getLogger(__name__)


def read_table_columns(
    url: SecretStr,
    table: str,
    rows: int,
    truth_column: str = TRUTH_COLUMN,
    limits: ReadLimits | None = None,
) -> Columns:
    """Read the newest events as columns.

    Args:
        url: URL of the database.
        table: Name of the table or view, with its schema if needed.
        rows: Most events to read.
        truth_column: Name of its truth column.
        limits: The time limits of each statement, or None for those of the database only.

    Returns:
        The columns.

    Raises:
        BadConfigurationError: The table or a column does not exist, it may not be read, a column
            has a type that cannot hold its values, or reading changes the database or takes too
            long.
        BadDataError: The events have too many different features, or the database cannot compute a
            value of a row.
        DependencyUnavailableError: The database does not answer.
    """
    with open_table(url, table, rows, truth_column, limits) as opened:
        query = opened.query
        needed = map(query.get_value_expression, ("truth", *COLUMN_FEATURES))
        sink = ColumnSink(rows, [query.types[name].name == "bool" for name in COLUMN_FEATURES])
        sink.builder.left_out = opened.left_out
        opened.copy(sql.SQL(", ").join([MICROSECONDS, *needed, FEATURES]), rows, sink)
        return sink.build_columns()


class ColumnSink:
    """Receives rows from the database and adds them to columns.

    Args:
        rows: Most rows.
        are_booleans: For each of `COLUMN_FEATURES`, whether its column holds booleans.
    """

    def __init__(self, rows: int, are_booleans: list[bool]) -> None:
        self.are_booleans = are_booleans
        self.count = 0
        self.builder = ColumnBuilder(rows)
        self.lines: list[bytes] = []
        self.progress = ProgressLog(log, PROGRESS.format(rows=rows))

    def write(self, line: bytes) -> None:
        """Store a row of COPY's text format. Every `CHUNK_ROWS` rows are added to the columns."""
        self.lines.append(line)
        if len(self.lines) == CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Add the stored rows to the columns."""
        lines = b"".join(self.lines).decode(errors="replace").split("\n")[:-1]
        self.lines.clear()
        if not lines:
            return
        times, labels, amounts, averages, texts = zip(
            *[line.split("\t") for line in lines], strict=True
        )
        truth = {}  # Each different label is parsed only once.
        for label in set(labels):
            truth[label] = UNKNOWN if label == NULL else parse_truth(unescape(label))

        def get_column_features(index: int) -> list[object]:
            cells = (amounts[index], averages[index])
            return list(map(parse_number_cell, cells, self.are_booleans))

        self.builder.add(
            np.array(list(map(int, times)), np.int64),
            [truth[label] for label in labels],
            [None if text == NULL else unescape(text) for text in texts],
            get_column_features,
        )
        self.count += len(lines)
        self.progress.at(self.count)

    def build_columns(self) -> Columns:
        """Return all rows as columns."""
        self.flush()
        return self.builder.build()
