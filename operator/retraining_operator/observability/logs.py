"""Configures logging: one line of text or one JSON object per record."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

from retraining_operator.contract import LineFormatter, clean_log_fields

REPEAT_SECONDS = 60


class RepeatFilter(logging.Filter):
    """Passes each log line of a library once per minute, and none of kafka-python.

    While a broker is unavailable, kafka-python logs several lines per second, most of them without
    a host. The consumer logs the same once when its state changes, with host, topic, group and what
    to do.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[tuple[str, int, type[BaseException] | None], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record.

        Records of the same line of code with an exception of the same type are repetitions.
        """
        if record.name.startswith("retraining_operator"):
            return True
        if record.name.split(".")[0] == "kafka":
            return False
        error_type = record.exc_info[0] if record.exc_info else None
        place, now = (record.pathname, record.lineno, error_type), time.monotonic()
        is_repeated = now - self._logged_at.get(place, -REPEAT_SECONDS) < REPEAT_SECONDS
        if not is_repeated:
            self._logged_at[place] = now
        return not is_repeated


class LineJsonFormatter(JsonFormatter):
    """Formats each record as one JSON object without control characters in its texts."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a record."""
        clean_log_fields(log_data)
        return super().process_log_record(log_data)


def configure(form: Literal["text", "json"], level: str) -> None:
    """Write all log records to the standard output. Libraries log warnings and errors only.

    Args:
        form: The format.
        level: The lowest level that the operator logs.
    """
    handler = logging.StreamHandler(sys.stdout)
    if form == "json":
        fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
        handler.setFormatter(
            LineJsonFormatter(
                fields, rename_fields={"asctime": "time", "levelname": "level", "name": "logger"}
            )
        )
    else:
        handler.setFormatter(LineFormatter("%(asctime)s %(levelname)-7s %(message)s"))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("retraining_operator").setLevel(level)
