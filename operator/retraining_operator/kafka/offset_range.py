"""Which records a replay is asked for: options read into bounds, and nonsense refused in one sentence. Pure."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime


class ReplayError(Exception):
    """Nothing was replayed; the text says what to ask for instead."""


@dataclass(frozen=True)
class Span:
    """What to replay; all bounds count in.

    Without offsets, times select; without a partition, all are read.
    """

    partition: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def includes(self, offset: int, timestamp_ms: int) -> bool:
        """Tell whether a record is asked for; its partition is."""
        return (
            (self.from_offset is None or offset >= self.from_offset)
            and (self.to_offset is None or offset <= self.to_offset)
            and (self.from_ms is None or timestamp_ms >= self.from_ms)
            and (self.to_ms is None or timestamp_ms <= self.to_ms)
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `replay`."""
    parser.add_argument(
        "--partition", type=int, help="the partition; needed with offsets, all of them without"
    )
    parser.add_argument("--from-offset", type=int, metavar="A", help="the first offset")
    parser.add_argument("--to-offset", type=int, metavar="B", help="the last offset, included")
    parser.add_argument(
        "--from-time",
        metavar="T",
        help="the earliest timestamp, ISO 8601; UTC where it names no zone",
    )
    parser.add_argument(
        "--to-time", metavar="T", help="the latest timestamp, included; now where it is left out"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be made, and make nothing"
    )


def read_span(arguments: argparse.Namespace) -> Span:
    """Read the options.

    Raises:
        ReplayError: where they make no sense together.
    """
    offsets = (arguments.from_offset, arguments.to_offset)
    by_offset = any(offset is not None for offset in offsets)
    if by_offset and (arguments.from_time or arguments.to_time):
        raise ReplayError("Ask for offsets or for times, not for both.")
    if by_offset:
        if None in offsets or arguments.partition is None:
            raise ReplayError("Offsets need all of --partition, --from-offset and --to-offset.")
        if not 0 <= arguments.from_offset <= arguments.to_offset:
            raise ReplayError(f"There is nothing from offset {offsets[0]} to {offsets[1]}.")
        return Span(arguments.partition, *offsets)
    if not arguments.from_time:
        raise ReplayError(
            "Say what to replay: --from-offset and --to-offset with --partition, or --from-time."
        )
    begin = read_time("--from-time", arguments.from_time)
    end = read_time("--to-time", arguments.to_time) if arguments.to_time else None
    if end is not None and begin > end:
        raise ReplayError(
            f"--from-time {arguments.from_time} is later than --to-time {arguments.to_time}."
        )
    return Span(arguments.partition, from_ms=begin, to_ms=end)


def read_time(option: str, text: str) -> int:
    """Read a time as milliseconds since 1970.

    Raises:
        ReplayError: where it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ReplayError(
            f"{option} {text} is no time in ISO 8601, such as 2026-03-01T12:00:00Z."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int(moment.timestamp() * 1000))


def check_bounds(span: Span, topic: str, begin: int, end: int) -> None:
    """Refuse offsets that Kafka does not have, from `begin` to before `end`.

    Raises:
        ReplayError: with those that it has.
    """
    first, last = span.from_offset or 0, span.to_offset or 0
    if first < begin or last >= end:
        kept = (
            f"has the offsets {begin} to {end - 1}"
            if begin < end
            else f"is empty (its next offset is {end})"
        )
        raise ReplayError(f"Partition {span.partition} of {topic} {kept}, not {first} to {last}.")
