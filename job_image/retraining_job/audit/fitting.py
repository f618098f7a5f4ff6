"""Values made to fit the columns of a table: what no column of that kind can hold is replaced or cut. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retraining_job.audit.tables import Column

MAY_BE_CUT = {"trigger_reason", "message", "request"}
"""Texts for people.

Words for machines are left as they are, so that the database refuses what it cannot hold.
"""


def fitted(row: Mapping[str, Any], columns: Mapping[str, Column], codec: str) -> dict[str, Any]:
    """Return a row as a table can hold it.

    Args:
        row: The values by column. Texts may come from outside: a trigger's reason, an event's
            feature names.
        columns: What each column can hold.
        codec: Python's name for the encoding of the database.
    """
    kept = {}
    for name, value in row.items():
        length = columns[name].length if name in columns else None
        clean = storable(value, codec)
        kept[name] = clean[:length] if name in MAY_BE_CUT and isinstance(clean, str) else clean
    return kept


def storable(value: Any, codec: str) -> Any:
    """Return a value without what PostgreSQL cannot hold: NUL, marks that its encoding lacks, and in JSON, NaN."""
    if isinstance(value, str):
        return value.replace("\0", "").encode(codec, errors="replace").decode(codec)
    if isinstance(value, dict):
        return {storable(name, codec): storable(one, codec) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(one, codec) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
