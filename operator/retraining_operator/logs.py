"""Log lines: plain sentences for people, or one JSON object a line when asked. Set up once, by `__main__`."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from pythonjsonlogger.json import JsonFormatter


def configure(form: Literal["text", "json"], level: str) -> None:
    """Send every log line to the standard output; libraries speak only when something is wrong."""
    handler = logging.StreamHandler(sys.stdout)
    if form == "json":
        fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
        handler.setFormatter(
            JsonFormatter(fields, rename_fields={"asctime": "time", "levelname": "level", "name": "logger"})
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("retraining_operator").setLevel(level)
