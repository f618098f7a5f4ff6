"""Output of the demo: headings, commands with their output, and steps with their duration."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 110


class Screen:
    """Prints plain text, which reads the same on a terminal and in a file."""

    def heading(self, text: str) -> None:
        """Print a heading."""
        print(f"\n== {text} {'=' * max(0, WIDTH - len(text) - 4)}", flush=True)

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def show(self, command: str, output: str) -> None:
        """Print a command and its output.

        Args:
            command: The command line.
            output: What it printed.
        """
        lines = output.rstrip().splitlines()
        print(f"$ {command}", *(f"  {line[: WIDTH * 2]}" for line in lines), sep="\n", flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print the name of a step, and its duration at the end of the block."""
        print(f"{name} ...", end=" ", flush=True)
        started = time.monotonic()
        yield
        print(f"{time.monotonic() - started:.1f} s", flush=True)
