"""The operator as a process on this machine, and its use of processor and memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.system.environment import STATE

PORT = 18105
START_SECONDS = 120
STOP_SECONDS = 15
LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Memory:
    """In MiB: resident now, proportional (shared pages divided by their users), and the peak."""

    resident: float
    proportional: float
    peak: float


class Operator:
    """One running process."""

    def __init__(self, process: subprocess.Popen[bytes], started: float) -> None:
        self._process = process
        self._folder = Path("/proc") / str(process.pid)
        self.started = started
        """By the performance counter."""

    def wait_until_ready(self) -> float:
        """Wait for /ready. Returns the seconds since the start.

        Raises:
            TimeoutError: It was not ready in time.
        """
        while time.perf_counter() - self.started < START_SECONDS and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://localhost:{PORT}/ready", timeout=5):
                    return time.perf_counter() - self.started
            except OSError:
                time.sleep(LOOK_SECONDS)
        raise TimeoutError(f"The operator was not ready within {START_SECONDS} s.")

    def processor_seconds(self) -> float:
        """Return the processor time so far, in seconds."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> Memory:
        """Return the memory in use."""
        text = (self._folder / "smaps_rollup").read_text() + (self._folder / "status").read_text()

        def of(field: str) -> float:
            found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
            return int(found[1]) / 1024 if found else float("nan")

        return Memory(of("Rss"), of("Pss"), of("VmHWM"))


@contextmanager
def operator(config: dict[str, Any], **environment: str) -> Iterator[Operator]:
    """Run an operator. If something fails in the block, its log is added to the error.

    Args:
        config: The configuration file.
        environment: Further environment variables.

    Yields:
        The running operator.

    Raises:
        TimeoutError: Something timed out. The text has the log.
    """
    with TemporaryDirectory() as folder:
        path, log = Path(folder) / "config.yaml", Path(folder) / "log"
        path.write_text(json.dumps({**config, "httpPort": PORT}), encoding="utf-8")
        command = [sys.executable, "-m", "retraining_operator", "--config", str(path)]
        everything = {**os.environ, "KUBECONFIG": str(STATE / "kubeconfig"), **environment}
        started = time.perf_counter()
        with (
            log.open("wb") as output,
            subprocess.Popen(command, env=everything, stdout=output, stderr=output) as process,
        ):
            try:
                yield Operator(process, started)
            except TimeoutError as error:
                raise TimeoutError(
                    f"{error}\nThe operator's last log lines:\n{log.read_text()[-3000:]}"
                ) from error
            finally:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
