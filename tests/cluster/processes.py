"""Processes, identified by id and start time, because the kernel reuses ids."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cgroup


@dataclass(frozen=True)
class ClusterProcess:
    """One process of the cluster."""

    pid: int
    started: int
    """Clock ticks from the machine's start to the process's start."""

    @classmethod
    def of(cls, pid: int) -> "ClusterProcess | None":
        """Return the running process with this id."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        # The second field is the program's name in brackets. It may contain spaces and
        # brackets.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @classmethod
    def read(cls, path: Path) -> "ClusterProcess | None":
        """Return the process that a file names, if it still runs."""
        try:
            pid, started = (int(word) for word in path.read_text().split())
        except (OSError, ValueError):
            return None
        process = cls(pid, started)
        return process if process.alive else None

    def write(self, path: Path) -> None:
        """Write the process to a file."""
        path.write_text(f"{self.pid} {self.started}\n")

    @property
    def alive(self) -> bool:
        """Return whether this process still runs."""
        return ClusterProcess.of(self.pid) == self

    def stop(self, patience: float = 5) -> None:
        """Send SIGTERM, wait, then send SIGKILL, because the API server waits for its watchers."""
        self._signal(signal.SIGTERM)
        if not self._gone_within(patience):
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._signal(signal.SIGKILL)
        self._gone_within(10)

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def launch(command: Sequence[str], log: Path, environment: dict[str, str]) -> ClusterProcess:
    """Start a program in the cluster's cgroup, detached from this command and its terminal.

    Args:
        command: The command line.
        log: The file for its output.
        environment: Its environment variables.

    Returns:
        The process.

    Raises:
        ChildProcessError: It ended immediately.
    """
    into_cgroup = f'echo $$ >{cgroup.entrance()} && exec "$@"'
    with log.open("ab") as output:
        child = subprocess.Popen(
            ["/bin/sh", "-c", into_cgroup, "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env=environment,
        )
    process = ClusterProcess.of(child.pid)
    if process is None:
        raise ChildProcessError(
            f"{command[0]} ended immediately after its start. See its log {log}."
        )
    # The child outlives this command. Without this, Python warns about it at exit.
    child.returncode = 0
    return process
