"""Reading of records from a file: JSON lines or CSV, also compressed with gzip."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from retraining_job.errors import BadDataError

Fields = dict[str, object]
"""The fields of one record by name."""

JSON_ENDINGS = {".jsonl", ".ndjson", ".json"}
GZIP_MAGIC = b"\x1f\x8b"


def read_records(path: Path) -> Iterator[tuple[int, Fields]]:
    """Read each record's line number and fields. An empty CSV cell is None."""
    lines = read_lines(path)
    first = next(lines, "")
    endings = {suffix.lower() for suffix in path.suffixes[-2:]} - {".gz"}
    is_json = bool(endings & JSON_ENDINGS) or (
        ".csv" not in endings and first.lstrip().startswith("{")
    )
    return (parse_json_lines if is_json else parse_csv)(path, chain([first], lines))


def read_lines(path: Path) -> Iterator[str]:
    """Read the lines of a file, decompressed if it is compressed with gzip.

    Raises:
        BadDataError: The file cannot be read, or is not text in UTF-8.
    """
    number = 0
    try:
        with path.open("rb") as file:
            is_compressed = file.read(2) == GZIP_MAGIC
        with gzip.open(path) if is_compressed else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise BadDataError(f"The file {path}, line {number:,}, is not text in UTF-8.") from None
    except (OSError, EOFError, zlib.error) as error:
        problem = getattr(error, "strerror", None) or error
        raise BadDataError(
            f"The file {path} cannot be read after line {number:,}: {problem}."
        ) from None


def parse_json_lines(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Fields]]:
    """Parse JSON lines.

    Args:
        path: The file, for messages.
        lines: Its lines.

    Yields:
        Line number and fields of each record.

    Raises:
        BadDataError: A line is not a JSON object.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadDataError(f"The file {path}, line {number:,}, is not JSON: {error}.") from None
        if not isinstance(fields, dict):
            raise BadDataError(
                f"The file {path}, line {number:,}, is not a JSON object with an event's columns."
            )
        yield number, fields


def parse_csv(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Fields]]:
    """Parse CSV whose first line names the columns.

    Args:
        path: The file, for messages.
        lines: Its lines.

    Yields:
        Line number and fields of each record.

    Raises:
        BadDataError: The file is not CSV, has no column `timestamp`, or a line has another number
            of cells than the first.
    """
    reader = csv.reader(lines, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if "timestamp" not in names:
            raise BadDataError(
                f"The file {path} has no column timestamp. Its first line must name the columns."
            )
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise BadDataError(
                    f"The file {path}, line {reader.line_num:,}, has {len(cells):,} cells, but the "
                    f"first line names {len(names):,} columns."
                )
            values = map(parse_csv_cell, cells)
            yield reader.line_num, dict(zip(names, values, strict=True))
    except csv.Error as error:
        raise BadDataError(
            f"The file {path}, line {reader.line_num:,}, is not CSV: {error}."
        ) from None


def parse_csv_cell(cell: str) -> object:
    """Parse a CSV cell: None if it is empty, a number if it contains one, otherwise a text."""
    with suppress(ValueError):
        return float(cell)
    return cell or None
