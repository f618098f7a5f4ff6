"""Reading of events from a file with the columns of `scored_events`, without any service."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from retraining_job.errors import BadConfigurationError, BadDataError
from retraining_job.events.column_types import TRUTH_COLUMN, TRUTH_SETTING
from retraining_job.events.file_records import Fields, read_records
from retraining_job.events.scored_event import ScoredEvent, convert_to_utc
from retraining_job.infra.logs import with_progress

Item = TypeVar("Item")

CHUNK_EVENTS = 2_000
"""Events in a chunk."""

ISO_DATE_DIGITS = 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


def read_file(path: Path, rows: int, truth_column: str = TRUTH_COLUMN) -> list[ScoredEvent]:
    """Read the newest events of a file.

    Args:
        path: The file.
        rows: Most events to return.
        truth_column: Name of its truth column.

    Returns:
        The events, newest first. Events of the same time are ordered by their content, not by their
        place in the file.

    Raises:
        BadDataError: The file cannot be read, or a line is not an event.
        BadConfigurationError: No event has the truth column, and it is not the default one.
    """
    events: list[ScoredEvent] = []
    for chunk in read_chunks(path, truth_column):
        events += chunk
        if len(events) > 2 * rows + CHUNK_EVENTS:
            events = select_newest(events, rows)
    return select_newest(events, rows)


def select_newest(events: list[ScoredEvent], rows: int) -> list[ScoredEvent]:
    """Sort events in place, and return the newest ones.

    Args:
        events: The events.
        rows: Most events to return.

    Returns:
        The newest events, newest first.
    """
    events.sort(key=lambda event: (event.features_json or "", *map(repr, event[1:6])))
    events.sort(key=lambda event: convert_to_utc(event.timestamp), reverse=True)
    return events[:rows]


def read_chunks(path: Path, truth_column: str = TRUTH_COLUMN) -> Iterator[list[ScoredEvent]]:
    """Read the events of a file in its order, in chunks of `CHUNK_EVENTS`.

    Args:
        path: The file.
        truth_column: Name of its truth column.

    Yields:
        Chunks of events.

    Raises:
        BadDataError: The file cannot be read, or a line is not an event.
        BadConfigurationError: No event has the truth column, and it is not the default one.
    """
    truth_seen = False

    def read_events() -> Iterator[ScoredEvent]:
        nonlocal truth_seen
        records = with_progress(read_records(path), log, f"Read %s events of {path.name}.")
        for number, fields in records:
            truth_seen = truth_seen or truth_column in fields
            yield build_event(fields, truth_column, f"The file {path}, line {number:,},")

    yield from split_into_chunks(read_events(), CHUNK_EVENTS)
    if not truth_seen and truth_column != TRUTH_COLUMN:
        raise BadConfigurationError(
            f'No event in the file {path} has the truth column "{truth_column}". Name an existing '
            f"one in {TRUTH_SETTING}."
        )


def split_into_chunks(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Iterate over items in lists.

    Args:
        items: The items.
        size: Items in a list.

    Yields:
        Lists of this size; the last one may be shorter.
    """
    while chunk := list(islice(items, size)):
        yield chunk


def build_event(fields: Fields, truth_column: str, where: str) -> ScoredEvent:
    """Build an event from the fields of a record.

    Args:
        fields: The fields.
        truth_column: Name of the truth column.
        where: File and line, as the start of a message.

    Returns:
        The event.

    Raises:
        BadDataError: The time is missing or cannot be parsed.
    """
    features = fields.get("features_json")
    if features is not None and not isinstance(features, str):
        features = json.dumps(features)
    return ScoredEvent(
        timestamp=parse_time(fields.get("timestamp"), where),
        amount=fields.get("amount"),
        anomaly_score=fields.get("anomaly_score"),
        is_anomaly=fields.get("is_anomaly"),
        anomaly_label=fields.get(truth_column),
        amount_vs_user_avg=fields.get("amount_vs_user_avg"),
        features_json=features,
    )


def parse_time(value: object, where: str) -> datetime:
    """Parse a time: ISO 8601, in UTC if it has no zone, or seconds since 1970.

    Args:
        value: The value.
        where: File and line, as the start of a message.

    Returns:
        The time in UTC.

    Raises:
        BadDataError: It is missing, or cannot be parsed.
    """
    if value is None:
        raise BadDataError(f"{where} has no timestamp.")
    with suppress(ValueError, OverflowError):
        if isinstance(value, str):
            return parse_time_text(value)
        # Python's bool is a subclass of int.
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return EPOCH + timedelta(seconds=value)
    raise BadDataError(
        f"{where} has a timestamp that is neither ISO 8601 nor seconds since 1970: {value!r:.60}."
    )


def parse_time_text(text: str) -> datetime:
    """Parse a time in a text: a number of seconds since 1970, or ISO 8601.

    Eight digits are a date (`20260131`), because as seconds they would all be in the year 1970 or
    shortly after.

    Raises:
        ValueError: The text is neither, or NaN.
        OverflowError: The time is out of Python's range.
    """
    text = text.strip()
    if len(text) != ISO_DATE_DIGITS or not text.isdecimal():
        with suppress(ValueError):
            return EPOCH + timedelta(seconds=float(text))
    return convert_to_utc(datetime.fromisoformat(text))
