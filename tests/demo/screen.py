"""How the demo speaks: headings, commands with what they print, and steps with their time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 110


class Screen:
    """Prints to the standard output, plainly, so that it reads the same in a file."""

    def heading(self, text: str) -> None:
        """Begin a part."""
        print(f"\n== {text} {'=' * max(0, WIDTH - len(text) - 4)}", flush=True)

    def say(self, text: str) -> None:
        """Say a sentence."""
        print(text, flush=True)

    def show(self, command: str, output: str) -> None:
        """Show what a command prints."""
        lines = output.rstrip().splitlines()
        print(f"$ {command}", *(f"  {line[: WIDTH * 2]}" for line in lines), sep="\n", flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Name a step, and its time when it is done."""
        print(f"{name} ...", end=" ", flush=True)
        started = time.monotonic()
        yield
        print(f"{time.monotonic() - started:.1f} s", flush=True)
