"""Log lines of both programs: one for each record, whatever text of others it quotes."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from retraining_job.contract.text import to_line, to_lines

if TYPE_CHECKING:
    from types import TracebackType

LOG_LIMIT_CHARACTERS = 8000
TRACEBACK_PREFIX = "  | "
"""Starts each line of a traceback, so that none of them looks like a log record."""
TRACEBACK_FIELDS = frozenset({"exc_info", "stack_info"})
"""The fields of a JSON record that have several lines."""

ExceptionInfo = (
    tuple[type[BaseException], BaseException, "TracebackType | None"] | tuple[None, None, None]
)


class LineFormatter(logging.Formatter):
    """Formats each record as one line, and each line of its traceback with a prefix."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        """Return the line of a record. Its message is one line of limited length."""
        record.message = to_line(record.message, LOG_LIMIT_CHARACTERS)
        return super().formatMessage(record)

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802
        """Return the lines of a traceback, whose last line quotes the exception's text."""
        return prefix_lines(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """Return the lines of a stack."""
        return prefix_lines(super().formatStack(stack_info))


def prefix_lines(text: str) -> str:
    """Return a text of several lines with a prefix before each."""
    return "\n".join(TRACEBACK_PREFIX + line for line in to_lines(text).split("\n"))


def clean_log_fields(fields: MutableMapping[str, Any]) -> None:
    """Make the texts of a JSON record safe for whoever prints them without JSON's escapes.

    Args:
        fields: The fields of the record. They are changed in place.
    """
    for name, value in fields.items():
        if isinstance(value, str):
            is_traceback = name in TRACEBACK_FIELDS
            fields[name] = to_lines(value) if is_traceback else to_line(value, LOG_LIMIT_CHARACTERS)
