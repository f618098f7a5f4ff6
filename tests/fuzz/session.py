"""Fuzzes one target in a process of its own, because libFuzzer ends the process that it runs in."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.fuzz.inputs import CORPUS, ROOT, WORK

MEMORY_MB = 2048
INPUT_SECONDS = 20
"""Time limit of one input. The machine may be busy, so it is far above what any input needs."""
INPUT_LIMIT_BYTES = 70_000
"""A little more than the largest document that is read."""
PRINT_SECONDS = 5.0
LAST_LINES = 60
FINAL_RUNS = re.compile(r"^stat::number_of_executed_units: (?P<runs>\d+)")
STATUS = re.compile(r"^#(?P<runs>\d+)\s.*?\bcov: (?P<coverage>\d+)")
NOISE = re.compile(r"^(INFO: Instrumenting|WARNING: Failed to find function)")
NEW = re.compile(r"^#\d+\s+NEW\b")
ARTIFACT = re.compile(r"Test unit written to (?P<path>\S+)")


@dataclass
class Progress:
    """What is known of a run of libFuzzer.

    Args:
        target: The name of the target.
        runs: How many inputs it has tried.
        coverage: How many branches of the packages they have reached.
        new_inputs: How many reached something new.
        crash: The file with the input that failed.
        last_lines: The end of what libFuzzer and the target have printed.
        seconds: How long it has run, without the time for importing.
        has_failed: Whether the process has ended with an error.
    """

    target: str
    runs: int = 0
    coverage: int = 0
    new_inputs: int = 0
    crash: Path | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    seconds: float = 0.0
    has_failed: bool = False

    def read_line(self, line: str) -> None:
        """Read one line of libFuzzer's output."""
        if status := STATUS.match(line):
            self.runs, self.coverage = int(status["runs"]), int(status["coverage"])
            self.new_inputs += bool(NEW.match(line))
            return
        if NOISE.match(line):
            return
        if final := FINAL_RUNS.match(line):
            self.runs = int(final["runs"])
        if artifact := ARTIFACT.search(line):
            self.crash = Path(artifact["path"])
        if line:
            self.last_lines.append(line.rstrip("\n"))

    def describe(self, seconds_left: float) -> str:
        """Return one line for a person."""
        return (
            f"{self.target:<12} {seconds_left:4.0f} s left  {self.runs:>10,} runs  "
            f"{self.runs / max(self.seconds, 1):>7,.0f}/s  coverage {self.coverage:>5,}  "
            f"{self.new_inputs:>4} new inputs"
        )


def fuzz(target: str, seconds: int, show: Callable[[str], None]) -> Progress:
    """Fuzz a target.

    Args:
        target: Its name.
        seconds: For how long.
        show: Shows a line of progress.

    Returns:
        What was found.
    """
    work = WORK / target
    folders = [work / "found", CORPUS / target, work / "seeds", work / "crashes"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={INPUT_SECONDS}",
        f"-max_len={INPUT_LIMIT_BYTES}",
        f"-artifact_prefix={work / 'crashes'}/",
        "-print_final_stats=1",
        *map(str, folders[:3]),
    ]
    command = [sys.executable, "-m", "tests.fuzz.engine", target, str(work), *options]
    progress = Progress(target)
    started = shown = time.monotonic()
    show(f"{target:<12} is being imported and instrumented ...")
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in read_lines(process):
            progress.read_line(line)
            now = time.monotonic()
            if not progress.runs:
                started = now
            progress.seconds = now - started
            if progress.runs and now - shown >= PRINT_SECONDS:
                shown = now
                show(progress.describe(max(0.0, seconds - progress.seconds)))
    progress.has_failed = process.returncode != 0
    return progress


def read_lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """Read what a process prints until its output ends.

    Args:
        process: The process. libFuzzer may print nothing for minutes.

    Yields:
        Each line, and an empty text if there was none for PRINT_SECONDS.
    """
    lines: SimpleQueue[str | None] = SimpleQueue()

    def forward() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=forward, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=PRINT_SECONDS)
        except Empty:
            yield ""
            continue
        if line is None:
            return
        yield line
