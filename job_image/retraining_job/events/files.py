"""From a file to events: JSON lines or CSV with the columns of `scored_events`, and no service.

Driven by `train`.
"""

from __future__ import annotations

import csv
import gzip
import json
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from retraining_job.errors import BadConfigurationError, BadDataError
from retraining_job.events.table import TRUTH_COLUMN, TRUTH_SETTING, Event, in_utc
from retraining_job.infra.logs import with_progress

Record = dict[str, object]
Item = TypeVar("Item")

CHUNK_EVENTS = 2_000
"""Events that are handed on at once."""

JSON_ENDINGS = {".jsonl", ".ndjson", ".json"}
GZIP_MAGIC = b"\x1f\x8b"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


def read_file_events(path: Path, rows: int, truth_column: str = TRUTH_COLUMN) -> list[Event]:
    """Give the newest events, newest first; ties in time are broken by what is in the events, not by their place.

    Raises:
        BadData, BadConfiguration: as `file_chunks`.
    """
    events: list[Event] = []
    for chunk in file_chunks(path, truth_column):
        events += chunk
        if len(events) > 2 * rows + CHUNK_EVENTS:
            events = newest(events, rows)
    return newest(events, rows)


def newest(events: list[Event], rows: int) -> list[Event]:
    """Give the newest events, newest first."""
    events.sort(key=lambda event: (event.features_json or "", *map(repr, event[1:6])))
    events.sort(key=lambda event: in_utc(event.timestamp), reverse=True)
    return events[:rows]


def file_chunks(path: Path, truth_column: str = TRUTH_COLUMN) -> Iterator[list[Event]]:
    """Give a file's events in its own order, some thousands at a time.

    Raises:
        BadDataError: it cannot be read, or a line holds no event.
        BadConfigurationError: no event has the column that should hold the truth, which is not the usual
            one.
    """
    truth_seen = False

    def events() -> Iterator[Event]:
        nonlocal truth_seen
        for number, record in with_progress(records(path), log, f"Read %s events of {path.name}."):
            truth_seen = truth_seen or truth_column in record
            yield event_of(record, truth_column, f"The file {path}, line {number:,},")

    yield from chunked(events(), CHUNK_EVENTS)
    if not truth_seen and truth_column != TRUTH_COLUMN:
        raise BadConfigurationError(
            f'No event in the file {path} has "{truth_column}", which {TRUTH_SETTING} names as what an event was: '
            "name one that is there."
        )


def chunked(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Give the items in lists of this size, the last one shorter."""
    while chunk := list(islice(items, size)):
        yield chunk


def records(path: Path) -> Iterator[tuple[int, Record]]:
    """Give each event's line number and fields, null where a CSV cell is empty."""
    lines = text_lines(path)
    first = next(lines, "")
    endings = {suffix.lower() for suffix in path.suffixes[-2:]} - {".gz"}
    is_json = bool(endings & JSON_ENDINGS) or (
        ".csv" not in endings and first.lstrip().startswith("{")
    )
    return (json_records if is_json else csv_records)(path, chain([first], lines))


def json_records(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Record]]:
    """Read JSON lines."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadDataError(f"The file {path}, line {number:,}, is not JSON: {error}.") from None
        if not isinstance(record, dict):
            raise BadDataError(
                f"The file {path}, line {number:,}, is not a JSON object with an event's columns."
            )
        yield number, record


def csv_records(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Record]]:
    """Read CSV whose first line names the columns."""
    reader = csv.reader(lines, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if "timestamp" not in names:
            raise BadDataError(
                f"The file {path} has no column timestamp: its first line must name the columns."
            )
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                problem = (
                    f"has {len(cells):,} cells, and the first line names {len(names):,} columns"
                )
                raise BadDataError(f"The file {path}, line {reader.line_num:,}, {problem}.")
            yield (
                reader.line_num,
                {name: value(cell) for name, cell in zip(names, cells, strict=True)},
            )
    except csv.Error as error:
        raise BadDataError(
            f"The file {path}, line {reader.line_num:,}, is not CSV: {error}."
        ) from None


def value(cell: str) -> object:
    """Read a CSV cell: null where it is empty, a number where it is one."""
    with suppress(ValueError):
        return float(cell)
    return cell or None


def text_lines(path: Path) -> Iterator[str]:
    """Read a file, unpacked where it is packed by gzip."""
    number = 0
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP_MAGIC
        with gzip.open(path) if packed else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise BadDataError(f"The file {path}, line {number:,}, is not text in UTF-8.") from None
    except (OSError, EOFError, zlib.error) as error:
        problem = getattr(error, "strerror", None) or error
        raise BadDataError(
            f"The file {path} cannot be read after line {number:,}: {problem}."
        ) from None


def event_of(record: Record, truth_column: str, where: str) -> Event:
    """Make an event of a line's fields."""
    features = record.get("features_json")
    return Event(
        timestamp=time_of(record.get("timestamp"), where),
        amount=record.get("amount"),
        anomaly_score=record.get("anomaly_score"),
        is_anomaly=record.get("is_anomaly"),
        anomaly_label=record.get(truth_column),
        amount_vs_user_avg=record.get("amount_vs_user_avg"),
        features_json=features
        if features is None or isinstance(features, str)
        else json.dumps(features),
    )


def time_of(written: object, where: str) -> datetime:
    """Read a time: ISO 8601 (UTC where it names no zone), or seconds since 1970."""
    try:
        if isinstance(written, str):
            with suppress(ValueError):
                written = float(written)
        if isinstance(written, str):
            return in_utc(datetime.fromisoformat(written.strip()))
        if (
            isinstance(written, (int, float))
            and not isinstance(written, bool)
            and math.isfinite(written)
        ):
            return EPOCH + timedelta(seconds=written)
    except (ValueError, OverflowError):
        pass
    if written is None:
        raise BadDataError(f"{where} has no timestamp.")
    raise BadDataError(
        f"{where} has a timestamp that is neither ISO 8601 nor seconds since 1970: {written!r:.60}."
    )
