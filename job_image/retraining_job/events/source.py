"""Where a run's events come from: the database's table or view, or a file.

Driven by the contests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from retraining_job.events.columns import Columns
    from retraining_job.events.table import Event
    from retraining_job.settings import RunSettings, TrainSettings


class EventSource(Protocol):
    """Events, as they stand in `scored_events`."""

    @property
    def name(self) -> str:
        """The table or file, as people know it."""

    def columns(self) -> Columns:
        """Give the newest events in columns, oldest first."""

    def events(self) -> tuple[list[Event], int]:
        """Return the newest events, newest first, and how many rows were left out for their time."""


@dataclass(frozen=True)
class Table:
    """A table or view of the database."""

    settings: TrainSettings

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.events_table

    def columns(self) -> Columns:
        """Read it into columns."""
        from retraining_job.events.copy_columns import read_columns  # noqa: PLC0415  # psycopg2: only who reads a table

        settings = self.settings
        return read_columns(
            settings.database_url, settings.events_table, settings.rows, settings.truth_column
        )

    def events(self) -> tuple[list[Event], int]:
        """Read it whole."""
        from retraining_job.events.table import read_table  # noqa: PLC0415

        settings = self.settings
        return read_table(
            settings.database_url, settings.events_table, settings.rows, settings.truth_column
        )


@dataclass(frozen=True)
class File:
    """A file with one event a line."""

    path: Path
    settings: RunSettings

    @property
    def name(self) -> str:
        """Its name, without the folders that mean nothing elsewhere."""
        return self.path.name

    def columns(self) -> Columns:
        """Read it into columns."""
        from retraining_job.events.columns import columns_of  # noqa: PLC0415
        from retraining_job.events.files import file_chunks  # noqa: PLC0415

        return columns_of(file_chunks(self.path, self.settings.truth_column), self.settings.rows)

    def events(self) -> tuple[list[Event], int]:
        """Read it whole; a time that cannot be used is BadData here, which names the line."""
        from retraining_job.events.files import read_file_events  # noqa: PLC0415

        return read_file_events(self.path, self.settings.rows, self.settings.truth_column), 0
