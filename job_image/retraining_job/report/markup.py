"""HTML and SVG text in which everything is escaped that is not markup already: a page cannot forget to. Pure."""

from __future__ import annotations

import re
from html import escape

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
"""Controls: XML forbids most, PostgreSQL's text takes no zero, and those of writing direction let a text lie."""


class Markup(str):
    """Text that is HTML already; any other string is escaped before it gets into a page."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Escape a text for use between tags and in quoted attributes; leave markup as it is."""
    if isinstance(value, Markup):
        return value
    whole = value.encode("utf-8", "replace").decode(
        "utf-8"
    )  # half a surrogate pair cannot be written to a file
    return Markup(escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", whole)))


def joined(*parts: str, between: str = "") -> Markup:
    """Put parts together, each escaped where it is no markup."""
    return Markup(text(between).join(text(part) for part in parts))


def tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """Write an element: `tag("p", "a < b", class_="hint")`.

    Attributes lose a trailing underscore, and the others become hyphens; numbers are rounded to
    what a screen shows.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def _value(value: str | float) -> str:
    return text(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
