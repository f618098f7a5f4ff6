"""From PostgreSQL to columns, in hardly more time than the database needs to say them.

A query's rows come as Python objects, most of which the columns have no use for, and the database
waits while they are made into columns. COPY sends on without being asked, as text, and only what is
needed is made into objects.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from psycopg2 import sql

from retraining_job.events.columns import ColumnBuilder, Columns, truth_of
from retraining_job.events.table import (
    FEATURES,
    MICROSECONDS,
    NULL,
    PROGRESS,
    TRUTH_COLUMN,
    newest,
    plain,
)
from retraining_job.infra.logs import ProgressLog

if TYPE_CHECKING:
    from pydantic import SecretStr

CHUNK_ROWS = 2_000
"""Rows made into columns at once: few enough for the connection's buffers to take what the database sends meanwhile."""

BOOLEANS = {"t": True, "f": False}

log = logging.getLogger(__name__)


def read_columns(
    url: SecretStr, table: str, rows: int, truth_column: str = TRUTH_COLUMN
) -> Columns:
    """Read the newest events as columns.

    Raises:
        BadConfiguration: There is no such table or column, it may not be read, or a column has a
            type that cannot hold what it should. BadData: The events have too many different
            features, or the database cannot compute what is asked of it. DependencyAway: The
            database does not answer.
    """
    with newest(url, table, rows, truth_column) as found:
        needed = [found.query.value(name) for name in ("truth", "amount", "amount_vs_user_avg")]
        booleans = [
            found.query.kinds[name].name == "bool" for name in ("amount", "amount_vs_user_avg")
        ]
        sink = Sink(rows, *booleans)
        sink.gathering.left_out = found.left_out
        found.copy(sql.SQL(", ").join([MICROSECONDS, *needed, FEATURES]), rows, sink)
        return sink.columns()


class Sink:
    """What the database writes the rows to, each as a line of COPY's text format."""

    def __init__(self, rows: int, amounts_are_booleans: bool, averages_are_booleans: bool) -> None:
        self.booleans = (amounts_are_booleans, averages_are_booleans)
        self.count = 0
        self.gathering = ColumnBuilder(rows)
        self.lines: list[bytes] = []
        self.progress = ProgressLog(log, PROGRESS.format(rows=rows))

    def write(self, line: bytes) -> None:
        """Take a row."""
        self.lines.append(line)
        if len(self.lines) == CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Make columns of the rows that were taken."""
        lines = b"".join(self.lines).decode(errors="replace").split("\n")[:-1]
        self.lines.clear()
        if not lines:
            return
        times, labels, amounts, averages, texts = zip(
            *[line.split("\t") for line in lines], strict=True
        )
        truth = {label: -1 if label == NULL else truth_of(plain(label)) for label in set(labels)}
        self.gathering.add(
            np.array(list(map(int, times)), np.int64),
            [truth[label] for label in labels],
            [(None if text == NULL else plain(text)) if "\\" in text else text for text in texts],
            lambda number: [
                value_of(cells[number], boolean)
                for cells, boolean in zip((amounts, averages), self.booleans, strict=True)
            ],
        )
        self.count += len(lines)
        self.progress.at(self.count)

    def columns(self) -> Columns:
        """Return all rows as columns."""
        self.flush()
        return self.gathering.columns()


def value_of(text: str, boolean: bool) -> object:
    """Return the value of a cell that should hold a number; None for null."""
    if text == NULL:
        return None
    return BOOLEANS.get(text) if boolean else plain(text)
