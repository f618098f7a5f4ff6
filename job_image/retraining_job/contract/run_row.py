"""Reading of a verdict from its row of `retraining_runs`, whoever has written the row.

Every value is selected as a text of limited length. Therefore psycopg2 converts no value, and none
can be out of the range of a Python type or larger than the memory.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from pydantic import ValidationError

from retraining_job.contract.result import Contenders, Result
from retraining_job.contract.run_table import RUN_TABLE
from retraining_job.contract.versions import HIGHEST_VERSION

MAX_ROWS = 2**31 - 1
TEXT_LIMIT_CHARACTERS = 16_384
"""A longer text is cut. The longest message and metrics of a trainer are much shorter."""

SESSION = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'"
"""The text of a time must not depend on settings of the role, the database or the server."""

COLUMNS = (
    "run_id",
    "verdict",
    "withheld",
    "reason",
    "message",
    "version",
    "champion_version",
    "n_samples",
    "metrics",
    "figures",
    "window_first",
    "window_last",
    "started_at",
    "finished_at",
)
"""The columns that a result is built from. `figures` is the former name of `metrics`."""

NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
REASON = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}", re.ASCII)


class UnreadableRowError(Exception):
    """A row that no trainer can have written. The text names the columns and contains no value."""


def select_verdict(present: Collection[str]) -> str:
    """Build the statement that reads the verdict of a run as texts.

    Args:
        present: The columns that the table in this database has.

    Returns:
        The statement, with a parameter `%s` for the run's id.
    """
    columns = select_texts(name for name in COLUMNS if name in present)
    has_end = "finished_at" in present  # the column itself, and not the text of the same name
    order = f"ORDER BY {RUN_TABLE}.finished_at DESC NULLS LAST " if has_end else ""
    return (
        f"{SESSION}; SELECT {columns} FROM {RUN_TABLE} "  # noqa: S608  # only constants
        f"WHERE run_id::text = %s AND verdict IS NOT NULL {order}LIMIT 1"
    )


def select_texts(names: Iterable[str]) -> str:
    """Build the part of a SELECT that reads columns as texts of limited length."""
    return ", ".join(f"left({name}::text, {TEXT_LIMIT_CHARACTERS}) AS {name}" for name in names)


def read_row(row: Mapping[str, object]) -> Result:
    """Build a result from the row of a verdict. The table may lack the columns added later.

    A value that only informs is left out if it cannot be read.

    Args:
        row: Values by column, as texts or null.

    Returns:
        The result.

    Raises:
        UnreadableRowError: A value that the verdict depends on cannot be read.
    """
    texts = {name: None if value is None else str(value) for name, value in row.items()}
    if texts.get("verdict") is None:
        raise UnreadableRowError("the value of verdict cannot be read")
    version = parse_number(texts.get("version"), HIGHEST_VERSION)
    if version is None and texts.get("version") is not None:
        raise UnreadableRowError("the value of version cannot be read")
    try:
        return Result.model_validate(
            {
                "run_id": texts.get("run_id"),
                "verdict": texts.get("verdict"),
                "promoted": version is not None,
                "withheld": texts.get("withheld"),
                "reason": parse_reason(texts.get("reason")),
                "message": texts.get("message") or "",
                "version": version,
                "champion_version": parse_number(texts.get("champion_version"), HIGHEST_VERSION),
                "n_samples": parse_number(texts.get("n_samples"), MAX_ROWS),
                "metrics": parse_metrics(texts.get("metrics") or texts.get("figures")),
                "window": build_window(texts),
                "started_at": parse_time(texts.get("started_at")),
                "finished_at": parse_time(texts.get("finished_at")),
            }
        )
    except ValidationError as error:
        names = dict.fromkeys(str(detail["loc"][0]) for detail in error.errors())
        raise UnreadableRowError(f"the value of {', '.join(names)} cannot be read") from None


def parse_number(text: str | None, highest: int) -> int | None:
    """Parse a whole number.

    Args:
        text: The text, or None.
        highest: A higher number is not accepted.

    Returns:
        The number, or None if the text is no number from 0 on that is accepted.
    """
    if text is None or not NUMBER.fullmatch(text) or int(text) > highest:
        return None
    return int(text)


def parse_reason(text: str | None) -> str | None:
    """Return a reason that has the form of one, else None."""
    return text if text is not None and REASON.fullmatch(text) else None


def parse_time(text: str | None) -> datetime | None:
    """Parse a time as PostgreSQL writes it. A time without a zone is in UTC.

    Args:
        text: The text, or None.

    Returns:
        The time, or None if it is missing, infinite, before the year 1 or after the year 9999.
    """
    try:
        time = datetime.fromisoformat(text or "")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_metrics(text: str | None) -> Contenders | None:
    """Parse metrics. Returns None if they have another shape. No number in them is infinite."""
    try:
        return None if text is None else Contenders.model_validate_json(text)
    except ValidationError:
        return None


def build_window(texts: Mapping[str, str | None]) -> Mapping[str, object] | None:
    """Build the window of events from a row. Returns None if a part of it cannot be read."""
    window = {
        "first": parse_time(texts.get("window_first")),
        "last": parse_time(texts.get("window_last")),
        "rows": parse_number(texts.get("n_samples"), MAX_ROWS),
    }
    return None if None in window.values() else window
