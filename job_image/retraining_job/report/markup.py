"""HTML and SVG text. Everything that is not `Markup` is escaped, so a page cannot forget to."""

from __future__ import annotations

from html import escape

from retraining_job.contract import escape_controls


class Markup(str):
    """Text that is already HTML. Any other string is escaped before it becomes part of a page."""

    __slots__ = ()


def escape_text(value: str) -> Markup:
    """Escape a text for use between tags and in quoted attributes. Returns markup unchanged."""
    if isinstance(value, Markup):
        return value
    # XML forbids most control characters, PostgreSQL refuses zero bytes, and characters that change
    # the writing direction can make a text misleading.
    return Markup(escape(escape_controls(value)))


def join(*parts: str, between: str = "") -> Markup:
    """Join texts and markup.

    Args:
        *parts: Texts, which are escaped, and markup.
        between: The separator.

    Returns:
        The joined markup.
    """
    return Markup(escape_text(between).join(escape_text(part) for part in parts))


def tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """Build an element: `tag("p", "a < b", class_="hint")`.

    Args:
        name: The name of the element.
        *children: Its content: texts, which are escaped, and markup.
        **attributes: Its attributes. A trailing underscore is removed, and other underscores become
            hyphens. Numbers are rounded to one decimal.

    Returns:
        The element.
    """
    formatted = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_format_attribute(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{formatted}>{join(*children)}</{name}>")


def _format_attribute(value: str | float) -> str:
    return escape_text(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
