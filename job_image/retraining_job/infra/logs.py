"""The trainer's log: plain sentences for `kubectl logs`, or JSON lines."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from retraining_job.contract.log_lines import LineFormatter, clean_log_fields

Item = TypeVar("Item")

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

PROGRESS_SECONDS = 3.0
"""How often the progress of a long step is logged."""

log = logging.getLogger(__name__)


class PlainFormatter(LineFormatter):
    """Formats lines like `2026-01-31T12:00:00Z A sentence.`, with the level from WARNING on."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", TIME_FORMAT)
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        """Format the message, with the level before it from WARNING on."""
        if record.levelno >= logging.WARNING:
            record.message = f"{record.levelname} {record.message}"
        return super().formatMessage(record)


def configure_logs(log_format: Literal["text", "json"], **fields: str) -> None:
    """Send the log to stderr.

    Args:
        log_format: `text` or `json`.
        **fields: Fields of every JSON line. Empty ones are left out.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(build_json_formatter(fields) if log_format == "json" else PlainFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def build_json_formatter(fields: dict[str, str]) -> logging.Formatter:
    """Build the formatter for JSON lines. Its package is imported only if it is used."""
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415

    class JsonLineFormatter(JsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            clean_log_fields(log_data)
            return super().process_log_record(log_data)

    formatter = JsonLineFormatter(
        "{asctime}{levelname}{message}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level"},
        static_fields={key: value for key, value in fields.items() if value},
        datefmt=TIME_FORMAT,
    )
    formatter.converter = time.gmtime
    return formatter


class ProgressLog:
    """Logs the progress of a step every few seconds.

    Args:
        log: The logger.
        text: The message, with %s for the number of items so far.
    """

    def __init__(self, log: logging.Logger, text: str) -> None:
        self._log, self._text = log, text
        self._last = time.monotonic()

    def at(self, number: int) -> None:
        """Log the number of items that are done, if it is time."""
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._last = time.monotonic()
            self._log.info(self._text, f"{number:,}")


def with_progress(items: Iterable[Item], log: logging.Logger, text: str) -> Iterator[Item]:
    """Iterate over items and log the progress every few seconds.

    Args:
        items: The items.
        log: The logger.
        text: The message, with %s for the number of items so far.

    Yields:
        The items.
    """
    progress = ProgressLog(log, text)
    for number, item in enumerate(items, start=1):
        yield item
        progress.at(number)


@contextmanager
def timed(text: str) -> Iterator[None]:
    """Log what was done and how long it took, in seconds."""
    start = time.monotonic()
    yield
    log.info("%s in %.2f s.", text, time.monotonic() - start)
