"""Tables as HTML, which scroll horizontally if the page is too narrow."""

from __future__ import annotations

from collections.abc import Sequence

from retraining_job.report.markup import Markup, tag


def render_table(
    label: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, class_: str = ""
) -> Markup:
    """Render a table.

    Args:
        label: The name of the table for screen readers.
        heads: The heads of the columns.
        rows: The cells of each row. The first cell is the head of the row.
        class_: Its class in the style sheet.

    Returns:
        The table.
    """
    body = tag("tbody", *(render_row(row) for row in rows))
    return wrap_table(label, tag("table", render_heads(heads), body, class_=class_))


def render_heads(heads: Sequence[str]) -> Markup:
    """Render the heads of the columns."""
    return tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads)))


def render_row(cells: Sequence[str]) -> Markup:
    """Render a row. The first cell is its head."""
    return tag("tr", tag("th", cells[0], scope="row"), *(tag("td", cell) for cell in cells[1:]))


def wrap_table(label: str, table: Markup) -> Markup:
    """Wrap a table in a region that scrolls.

    Args:
        label: The name of the table for screen readers.
        table: The table.

    Returns:
        The region.
    """
    return tag("div", table, class_="wide", role="region", aria_label=label, tabindex="0")
