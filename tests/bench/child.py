"""A measurement in a process of its own, so that its peak of memory is its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Figures = dict[str, float]


class Clock:
    """Takes the time of steps, in seconds."""

    def __init__(self) -> None:
        self.figures: Figures = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the time of one step."""
        start = time.perf_counter()
        yield
        self.figures[name] = time.perf_counter() - start

    def leave(self, **more: Any) -> None:
        """Hand the figures over, with the process's peak of memory in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        sys.stdout.write(json.dumps({**self.figures, "peak": peak, **more}) + "\n")


def measured(module: str, *arguments: str) -> Figures:
    """Run `python -m MODULE ARGUMENTS` and give the figures it leaves."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
