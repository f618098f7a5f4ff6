"""A measurement in a separate process, which has its own peak of memory."""

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


class Stopwatch:
    """Measures the duration of steps, in seconds."""

    def __init__(self) -> None:
        self.figures: Figures = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure the duration of a step."""
        start = time.perf_counter()
        yield
        self.figures[name] = time.perf_counter() - start

    def leave(self, **more: Any) -> None:
        """Print the figures, with the process's peak of memory in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        sys.stdout.write(json.dumps({**self.figures, "peak": peak, **more}) + "\n")


def measured(module: str, *arguments: str) -> Figures:
    """Run `python -m MODULE ARGUMENTS`. Returns the figures that it printed.

    Args:
        module: The module.
        *arguments: The command line.

    Returns:
        The figures.

    Raises:
        RuntimeError: The process failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
