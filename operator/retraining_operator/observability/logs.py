"""Log lines: plain sentences for people, or one JSON object a line when asked.

Set up once, by `__main__`.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

REPEAT_SECONDS = 60


class Repeats(logging.Filter):
    """Lets a library's line through once a minute, and nothing of kafka-python.

    While a broker is unavailable kafka-python logs several lines a second, most without a host. The
    consumer says the same once, with host, topic, group and what to do, when its state changes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is new; the place in the code that logs it counts, not its figures."""
        if record.name.startswith("retraining_operator"):
            return True
        if record.name.split(".")[0] == "kafka":
            return False
        place, now = (record.pathname, record.lineno), time.monotonic()
        repeated = now - self._said.get(place, -REPEAT_SECONDS) < REPEAT_SECONDS
        if not repeated:
            self._said[place] = now
        return not repeated


def configure(form: Literal["text", "json"], level: str) -> None:
    """Send every log line to the standard output; libraries speak only when something is wrong."""
    handler = logging.StreamHandler(sys.stdout)
    if form == "json":
        fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
        handler.setFormatter(
            JsonFormatter(
                fields, rename_fields={"asctime": "time", "levelname": "level", "name": "logger"}
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    handler.addFilter(Repeats())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("retraining_operator").setLevel(level)
