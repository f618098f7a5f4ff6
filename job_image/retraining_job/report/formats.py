"""Format numbers, times and long texts for the report."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from retraining_job.contract import Window

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"


def drop_non_finite(value: float | None) -> float | None:
    """Return a finite number unchanged, and None for NaN, infinities and None."""
    return value if value is not None and math.isfinite(value) else None


def format_metric(value: float | None) -> str:
    """Format a metric between 0 and 1: `0.912`."""
    value = drop_non_finite(value)
    return NONE if value is None else f"{value:.3f}".replace("-", MINUS)


def format_number(value: float | None) -> str:
    """Format a number of any size with at most four digits: `0.7`, `12,500`, `1.2e+09`."""
    value = drop_non_finite(value)
    if value is None:
        return NONE
    short = f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"
    return short.replace("-", MINUS)


def format_difference(value: float | None) -> str:
    """Format a difference with its sign: `+0.031`."""
    value = drop_non_finite(value)
    return NONE if value is None else f"{value:+.3f}".replace("-", MINUS)


def format_percent(value: float | None) -> str:
    """Format a share from 0 to 1: `12.3 %`, `0.42 %`."""
    value = drop_non_finite(value)
    if value is None:
        return NONE
    digits = 1 if abs(value) >= 0.01 or value == 0 else 2
    number = f"{100 * value:.{digits}f}".removesuffix(".0")
    return f"{number}{THIN_SPACE}%".replace("-", MINUS)


def format_points(value: float | None) -> str:
    """Format a difference of shares in percentage points: `+1.2 pp`."""
    value = drop_non_finite(value)
    return NONE if value is None else f"{100 * value:+.1f}{THIN_SPACE}pp".replace("-", MINUS)


def format_count(value: int, noun: str = "", plural: str = "") -> str:
    """Format a count, with a noun if one is given: `4,812 rows`, `1 row`.

    Args:
        value: The count.
        noun: The noun in the singular.
        plural: Its plural, if that is not the noun and an s.

    Returns:
        The phrase.
    """
    if not noun:
        return f"{value:,}"
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def to_utc(moment: datetime) -> datetime:
    """Convert a time to UTC. A time without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """Format a time: `23 Nov 2026, 14:05 UTC`."""
    moment = to_utc(moment)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def format_time_range(first: datetime, last: datetime) -> str:
    """Format a range of time. The date is written once if both are on the same day.

    Args:
        first: The start.
        last: The end.

    Returns:
        The phrase: `23 Nov 2026, 06:05 to 18:00 UTC`.
    """
    first, last = to_utc(first), to_utc(last)
    if first.date() == last.date():
        return f"{first.day} {first:%b %Y, %H:%M} to {last:%H:%M} UTC"
    return f"{first.day} {first:%b %Y, %H:%M} to {last.day} {last:%b %Y, %H:%M} UTC"


def format_window(events: Window) -> str:
    """Format a window of events: the number of rows and the range of time."""
    return f"{format_count(events.rows, 'row')}, {format_time_range(events.first, events.last)}"


def shorten(value: str, limit: int) -> str:
    """Cut a text that is too long, and mark the cut with an ellipsis.

    Args:
        value: The text.
        limit: The greatest length in characters.

    Returns:
        The text.
    """
    return value if len(value) <= limit else value[: limit - 1] + "…"
