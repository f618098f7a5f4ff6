"""Trainers as real processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from retraining_job.contract import Result, environment_name, read_result

FORK_SERVER = Path(__file__).with_name("fork_server.py")


class ForkServer:
    """Starts trainers from a process that has already imported what they need.

    Args:
        process: The running `fork_server.py`, with pipes for stdin and stdout.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lock = threading.Lock()

    def order(self, **order: Any) -> int:
        """Send one document. Returns the number that the server answers."""
        assert self.process.stdin
        assert self.process.stdout
        with self.lock:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())


@contextmanager
def run_fork_server() -> Iterator[ForkServer]:
    """Run a fork server, which ends with the block."""
    with subprocess.Popen(
        [sys.executable, str(FORK_SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield ForkServer(process)
        assert process.stdin
        process.stdin.close()


class TrainerProcess:
    """A trainer that was started.

    Args:
        fork_server: Starts it.
        environment: Its environment variables.
        arguments: Its command line.
        folder: Where its log and its termination message are written.
    """

    code: int
    """Its exit code. Set by `wait`."""

    def __init__(
        self,
        fork_server: ForkServer,
        environment: Mapping[str, str],
        arguments: Sequence[str],
        folder: Path,
    ) -> None:
        self.fork_server = fork_server
        self.output = folder / f"log-{secrets.token_hex(4)}"
        self.document = folder / f"document-{secrets.token_hex(4)}"
        self.document.touch()  # as the kubelet does
        environment = {**environment, environment_name("termination_log"): str(self.document)}
        self.pid = fork_server.order(
            environment=environment, arguments=list(arguments), output=str(self.output)
        )

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def wait(self) -> TrainerProcess:
        """Wait for its end. Returns the same object."""
        self.code = self.fork_server.order(wait=self.pid)
        return self

    @property
    def result(self) -> Result:
        """Return its termination message."""
        result = read_result(self.document.read_text())
        assert result, f"The trainer left no result:\n{self.log}"
        return result

    @property
    def log(self) -> str:
        """Return its whole log."""
        return self.output.read_text()

    @property
    def log_so_far(self) -> str:
        """Return its log, which is empty before the first line is written."""
        return self.log if self.output.exists() else ""

    def wait_for(self, text: str) -> None:
        """Wait up to 30 seconds for a text in its log."""
        for _ in range(3_000):
            if text in self.log_so_far:
                return
            time.sleep(0.01)
        pytest.fail(f"{text!r} did not appear in the log:\n{self.log}")
