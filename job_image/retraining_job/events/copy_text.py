"""Text format of PostgreSQL's COPY: cells of a row, and their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.events.column_types import ColumnType

NULL = r"\N"
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
BOOLEANS = {"t": True, "f": False}


def unescape(cell: str) -> str:
    """Return a cell that is not null without COPY's escapes."""
    if "\\" not in cell:
        return cell
    return ESCAPED.sub(lambda match: CONTROLS.get(match[1], match[1]), cell)


def get_cell_parser(column_type: ColumnType) -> Callable[[str], object]:
    """Return the function that parses a cell that is not null."""
    if column_type.name == "bool":
        return "t".__eq__
    is_number = column_type.can_hold_numbers and column_type.category == "N"
    return float if is_number else unescape


def parse_number_cell(cell: str, is_boolean: bool) -> object:
    """Parse a cell that should contain a number.

    Args:
        cell: The cell.
        is_boolean: Whether its column holds booleans.

    Returns:
        A boolean or a text, or None for null.
    """
    if cell == NULL:
        return None
    return BOOLEANS.get(cell) if is_boolean else unescape(cell)
