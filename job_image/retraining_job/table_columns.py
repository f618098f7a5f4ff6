"""From PostgreSQL to columns, in hardly more time than the database needs to say them. Driven by `run`.

A query's rows come as Python objects, most of which the columns have no use for, and the database waits while they are
made into columns. COPY sends on without being asked, as text, and only what is needed is made into objects.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

import numpy as np
import psycopg2
from psycopg2 import sql

from retraining_job.columns import Columns, Gathering, truth_of
from retraining_job.errors import DependencyAway
from retraining_job.events import PROGRESS, TRUTH_COLUMN, newest
from retraining_job.logs import PROGRESS_SECONDS

if TYPE_CHECKING:
    from pydantic import SecretStr

CHUNK_ROWS = 2_000
"""Rows made into columns at once: few enough for the connection's buffers to take what the database sends meanwhile."""

COPY = sql.SQL("COPY ({query}) TO STDOUT")

NEEDED = sql.SQL(
    '(extract(epoch FROM "timestamp") * 1000000)::bigint, {truth}, amount, amount_vs_user_avg,'
    ' features_json::text COLLATE "C"'
)

NULL = r"\N"
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

log = logging.getLogger(__name__)


def read_columns(url: SecretStr, table: str, rows: int, truth_column: str = TRUTH_COLUMN) -> Columns:
    """Read the newest events as columns.

    Raises:
        BadConfiguration: there is no such table or column, it may not be read, or it holds no times.
        BadData: the events have too many different features, or the database cannot compute what is asked of it.
        DependencyAway: the database does not answer.
    """
    with newest(url, table, rows, truth_column, NEEDED) as (connection, query), connection.cursor() as cursor:
        connection.set_client_encoding("UTF8")
        sink = Sink(rows)
        try:
            cursor.copy_expert(COPY.format(query=query), sink)
        except psycopg2.DatabaseError as error:
            if connection.closed:  # psycopg2 gives this error no class of its own while it copies
                raise DependencyAway("The database went away while the events were read.") from error
            raise
        return sink.columns()


class Sink:
    """What psycopg2 writes the rows to, each as a line of COPY's text format."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.count = 0
        self.gathering = Gathering(rows)
        self.lines: list[bytes] = []
        self.said = time.monotonic()

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
        times, labels, amounts, averages, texts = zip(*[line.split("\t") for line in lines], strict=True)
        truth = {label: -1 if label == NULL else truth_of(label) for label in set(labels)}
        self.gathering.add(
            np.array(list(map(int, times)), np.int64),
            [truth[label] for label in labels],
            [plain(text) if "\\" in text else text for text in texts],
            lambda number: (decimal(amounts[number]), decimal(averages[number])),
        )
        self.count += len(lines)
        if time.monotonic() - self.said >= PROGRESS_SECONDS:
            self.said = time.monotonic()
            log.info(PROGRESS.format(rows=self.rows), f"{self.count:,}")

    def columns(self) -> Columns:
        """Give all rows as columns."""
        self.flush()
        return self.gathering.columns()


def plain(text: str) -> str | None:
    """Undo COPY's escapes; None for null."""
    return None if text == NULL else ESCAPED.sub(lambda match: CONTROLS.get(match[1], match[1]), text)


def decimal(text: str) -> float | None:
    """Read a number; None where there is none."""
    try:
        return float(text)
    except ValueError:
        return None
