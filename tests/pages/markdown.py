"""Markdown that is safe in a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "Generated from the sources by `make pages`."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Build a table.

    Args:
        head: The titles of its columns.
        rows: Its rows, one cell for each column.

    Returns:
        The table as Markdown, with a line break at its end.
    """
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Return text that stays inside its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(value: object) -> str:
    """Return a value as code, or nothing for an empty one."""
    return f"`{value}`" if value not in (None, "") else ""
