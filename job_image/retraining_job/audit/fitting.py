"""Adaptation of a row to the columns of a table.

What a column cannot hold is replaced or cut off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from retraining_job.contract import to_line

if TYPE_CHECKING:
    from retraining_job.audit.tables import Column

MAY_BE_CUT = {"trigger_reason", "message", "request"}
"""Texts for people.

Texts for programs are left as they are, so that the database refuses what it cannot hold.
"""
LINES = MAY_BE_CUT | {"approval_by"}
"""Texts of others, which are stored as one line."""
LINE_LIMIT_CHARACTERS = 10_000


def fit_row(row: Mapping[str, Any], columns: Mapping[str, Column], codec: str) -> dict[str, Any]:
    """Return a row that fits a table.

    Args:
        row: Values by column. Texts may come from outside: a trigger's reason, an event's feature
            names.
        columns: What each column can hold.
        codec: Python's name for the encoding of the database.

    Returns:
        Values by column.
    """
    fitted = {}
    for name, value in row.items():
        length = columns[name].length if name in columns else None
        line = (
            to_line(value, LINE_LIMIT_CHARACTERS)
            if name in LINES and isinstance(value, str)
            else value
        )
        clean = clean_value(line, codec)
        fitted[name] = clean[:length] if name in MAY_BE_CUT and isinstance(clean, str) else clean
    return fitted


def clean_value(value: Any, codec: str) -> Any:
    """Return a value without the parts that PostgreSQL cannot hold.

    These are NUL, characters that its encoding lacks, and numbers in JSON that are not finite.

    Args:
        value: A value of a column, or a part of a JSON value.
        codec: Python's name for the encoding of the database.

    Returns:
        The value that can be stored.
    """
    if isinstance(value, str):
        return value.replace("\0", "").encode(codec, errors="replace").decode(codec)
    if isinstance(value, dict):
        return {clean_value(name, codec): clean_value(item, codec) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean_value(item, codec) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
