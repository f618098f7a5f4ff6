"""Sources of a run's events: a table or view of the database, or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from retraining_job.events.columns import Columns
    from retraining_job.events.scored_event import ScoredEvent
    from retraining_job.settings import RunSettings, TrainSettings


class EventSource(Protocol):
    """A source of scored events."""

    @property
    def name(self) -> str:
        """Name of the table or file, for messages."""

    def read_columns(self) -> Columns:
        """Read the newest events as columns, oldest first."""

    def read_events(self) -> tuple[list[ScoredEvent], int]:
        """Read the newest events, newest first.

        Returns:
            The events, and the number of rows that were left out because of their time.
        """


@dataclass(frozen=True)
class TableSource:
    """A table or view of the database."""

    settings: TrainSettings

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.events_table

    def read_columns(self) -> Columns:
        """Read the newest events as columns, oldest first."""
        # Imported here, because only runs that read a table need psycopg2.
        from retraining_job.events.copy_columns import read_table_columns  # noqa: PLC0415

        settings = self.settings
        return read_table_columns(
            settings.database_url,
            settings.events_table,
            settings.rows,
            settings.truth_column,
            settings.read_limits,
        )

    def read_events(self) -> tuple[list[ScoredEvent], int]:
        """Read the newest events, newest first.

        Returns:
            The events, and the number of rows that were left out because of their time.
        """
        from retraining_job.events.table import read_table_events  # noqa: PLC0415

        settings = self.settings
        return read_table_events(
            settings.database_url,
            settings.events_table,
            settings.rows,
            settings.truth_column,
            settings.read_limits,
        )


@dataclass(frozen=True)
class FileSource:
    """A file with one event on each line."""

    path: Path
    settings: RunSettings

    @property
    def name(self) -> str:
        """Its name without folders, which mean nothing on another machine."""
        return self.path.name

    def read_columns(self) -> Columns:
        """Read the newest events as columns, oldest first."""
        from retraining_job.events.event_columns import build_columns  # noqa: PLC0415
        from retraining_job.events.files import read_chunks  # noqa: PLC0415

        return build_columns(read_chunks(self.path, self.settings.truth_column), self.settings.rows)

    def read_events(self) -> tuple[list[ScoredEvent], int]:
        """Read the newest events, newest first. No row is left out.

        Raises:
            BadDataError: The file cannot be read, or the time of a line cannot be used.
        """
        from retraining_job.events.files import read_file  # noqa: PLC0415

        return read_file(self.path, self.settings.rows, self.settings.truth_column), 0
