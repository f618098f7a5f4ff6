"""Command-line options of `replay`: which records to replay."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from retraining_operator.kafka.record_selection import RecordSelection


class ReplayError(Exception):
    """The replay cannot run or was interrupted. The text says what to do."""


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select records."""
    parser.add_argument(
        "--partition", type=int, help="the partition; required with offsets, default: all"
    )
    parser.add_argument("--from-offset", type=int, metavar="A", help="the first offset")
    parser.add_argument("--to-offset", type=int, metavar="B", help="the last offset, inclusive")
    parser.add_argument(
        "--from-time",
        metavar="T",
        help="the earliest timestamp, ISO 8601; UTC if it has no zone",
    )
    parser.add_argument(
        "--to-time", metavar="T", help="the latest timestamp, inclusive; default: now"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be created, and create nothing"
    )


def read_selection(arguments: argparse.Namespace) -> RecordSelection:
    """Read the options that select records.

    Raises:
        ReplayError: If they are incomplete or contradict each other.
    """
    offsets = (arguments.from_offset, arguments.to_offset)
    by_offset = any(offset is not None for offset in offsets)
    if by_offset and (arguments.from_time or arguments.to_time):
        raise ReplayError("Select by offsets or by times, not by both.")
    if by_offset:
        if None in offsets or arguments.partition is None:
            raise ReplayError("Offsets need all of --partition, --from-offset and --to-offset.")
        if not 0 <= arguments.from_offset <= arguments.to_offset:
            raise ReplayError(f"The range from offset {offsets[0]} to {offsets[1]} is empty.")
        return RecordSelection(arguments.partition, *offsets)
    if not arguments.from_time:
        raise ReplayError(
            "Select records: --from-offset and --to-offset with --partition, or --from-time."
        )
    begin_ms = parse_time_option("--from-time", arguments.from_time)
    end_ms = parse_time_option("--to-time", arguments.to_time) if arguments.to_time else None
    if end_ms is not None and begin_ms > end_ms:
        raise ReplayError(
            f"--from-time {arguments.from_time} is later than --to-time {arguments.to_time}."
        )
    return RecordSelection(arguments.partition, from_ms=begin_ms, to_ms=end_ms)


def parse_time_option(option: str, text: str) -> int:
    """Parse a time in ISO 8601. A time without a zone is in UTC.

    Args:
        option: Name of the option, for the message.
        text: The time.

    Returns:
        Milliseconds since 1970 (UTC), at least 0.

    Raises:
        ReplayError: If the text is not a time in ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ReplayError(
            f"{option} {text} is not a time in ISO 8601, such as 2026-03-01T12:00:00Z."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int(moment.timestamp() * 1000))
