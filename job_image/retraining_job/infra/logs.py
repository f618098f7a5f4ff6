"""The trainer's log: plain sentences for `kubectl logs`, or JSON lines where asked for.

Set up by `__main__` alone.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

Item = TypeVar("Item")

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

PROGRESS_SECONDS = 3.0
"""A person who watches should never wonder for longer whether a step is alive."""

log = logging.getLogger(__name__)


class PlainFormatter(logging.Formatter):
    """`2026-01-31T12:00:00Z A sentence.`, with the level's name where it matters."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", TIME_FORMAT)
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        """Put the level before the message from WARNING on."""
        if record.levelno >= logging.WARNING:
            record.message = f"{record.levelname} {record.message}"
        return super().formatMessage(record)


def configure_logs(log_format: Literal["text", "json"], **fields: str) -> None:
    """Send the log to stderr; `fields` stand in every JSON line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter(fields) if log_format == "json" else PlainFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def json_formatter(fields: dict[str, str]) -> logging.Formatter:
    """Make the formatter for JSON lines; its package is loaded only where it is used."""
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415

    formatter = JsonFormatter(
        "{asctime}{levelname}{message}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level"},
        static_fields={key: value for key, value in fields.items() if value},
        datefmt=TIME_FORMAT,
    )
    formatter.converter = time.gmtime
    return formatter


class ProgressLog:
    """Logs how far a step is, every few seconds.

    Args:
        log: Where to.
        text: What to log, with %s for the number of items so far.
    """

    def __init__(self, log: logging.Logger, text: str) -> None:
        self._log, self._text = log, text
        self._last = time.monotonic()

    def at(self, number: int) -> None:
        """Note that so many items are done."""
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._last = time.monotonic()
            self._log.info(self._text, f"{number:,}")


def with_progress(items: Iterable[Item], log: logging.Logger, text: str) -> Iterator[Item]:
    """Pass items through and log `text`, with the number of items so far, every few seconds."""
    progress = ProgressLog(log, text)
    for number, item in enumerate(items, start=1):
        yield item
        progress.at(number)


@contextmanager
def timed(text: str) -> Iterator[None]:
    """Log what was done and how long it took."""
    start = time.monotonic()
    yield
    log.info("%s in %.2f s.", text, time.monotonic() - start)
