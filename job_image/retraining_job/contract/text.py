"""Text of others as one line: what no line may contain is written out, and the length is limited.

Reasons of requests, feature names, messages of servers and result documents come from outside. In a
log, a status, an Event, a row or a report they must not start a line of their own, move the cursor
of a terminal, or change the writing direction.
"""

from __future__ import annotations

import re
import unicodedata

LINE_LIMIT_CHARACTERS = 2000
"""Keeps `kubectl describe` and a log readable. Errors of libraries can be of any length."""
CUT = "..."
"""The end of a line that was cut."""


def escape_controls(text: str) -> str:
    r"""Write out the characters that no line shows, such as `\n`, `\x1b` and `\u202e`.

    These are control characters, line and paragraph separators, format characters (among them those
    that change the writing direction), halves of surrogate pairs, and code points without a
    character. All other text stays as it is, in any language.
    """
    if text.isprintable():
        return text
    return "".join(map(_escape_character, text))


def escape_page(text: str) -> str:
    r"""Write out the characters that no line shows, except line feeds and tabs.

    Args:
        text: A text of any length that is printed as it is, such as a stored HTML page.

    Returns:
        The text. It is unchanged if each of its lines is printable apart from tabs.
    """
    return re.sub(r"[^\n\t]+", lambda part: escape_controls(part[0]), text)


def _escape_character(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def to_line(text: str, limit: int = LINE_LIMIT_CHARACTERS) -> str:
    """Return a text as one line of limited length.

    Args:
        text: Any text.
        limit: The maximum length in characters, at least that of CUT.

    Returns:
        The text without white space around it. Each kind of space is a plain one, characters that
        no line shows are written out, and the end of a text that was cut is CUT.
    """
    line = text.strip()[: limit + 1]  # the rest would not fit and costs no work
    if not line.isprintable():
        line = "".join(" " if _is_space(character) else character for character in line)
        line = escape_controls(line)
    return line if len(line) <= limit else line[: limit - len(CUT)] + CUT


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def to_lines(text: str, limit: int = LINE_LIMIT_CHARACTERS) -> str:
    """Return a text of several lines, such as a traceback or the end of a log.

    Args:
        text: Any text. Only line feeds end its lines.
        limit: The maximum length of each line in characters.

    Returns:
        The lines with their indentation, each as `to_line` returns it.
    """
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    return "\n".join(_indent_line(line, limit) for line in lines)


def _indent_line(line: str, limit: int) -> str:
    bare = line.lstrip(" ")
    indent = " " * min(len(line) - len(bare), limit // 2)
    return indent + to_line(bare, limit - len(indent))
