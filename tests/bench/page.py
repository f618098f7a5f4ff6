"""Markdown tables, on the screen and in the page of benchmarks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "bench.md"


def heading(text: str) -> None:
    """Print the heading of a table."""
    sys.stdout.write(f"\n{text}\n\n")


def table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table."""
    sys.stdout.write(markdown(rows))
    sys.stdout.flush()


def markdown(rows: Iterable[tuple[str, ...]]) -> str:
    """Format a table. The first row is its head."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "".join(f"| {' | '.join(map(str.ljust, row, widths))} |\n" for row in rows)


def replace_part(name: str, text: str) -> None:
    """Replace a part of the page, between the two comments that name it.

    Args:
        name: The part's name.
        text: Its new text.
    """
    begin, end = f"<!-- {name}: written by make bench -->", f"<!-- {name}: end -->"
    page = PAGE.read_text(encoding="utf-8")
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    PAGE.write_text(
        found.sub(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page), encoding="utf-8"
    )
