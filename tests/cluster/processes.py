"""A process that was started here: known by its id and its start time, so that a reused id is never mistaken."""

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
class Process:
    """One process of the cluster."""

    pid: int
    started: int
    """Clock ticks between the machine's start and the process's, as the kernel counts them."""

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Return the living process with this id."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        # The second field is the program's name in brackets, which may itself hold spaces and
        # brackets.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @classmethod
    def read(cls, path: Path) -> "Process | None":
        """Return the process that a file names, if it still lives."""
        try:
            pid, started = (int(word) for word in path.read_text().split())
        except (OSError, ValueError):
            return None
        process = cls(pid, started)
        return process if process.alive else None

    def write(self, path: Path) -> None:
        """Note the process in a file."""
        path.write_text(f"{self.pid} {self.started}\n")

    @property
    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return Process.of(self.pid) == self

    def stop(self, patience: float = 5) -> None:
        """Ask the process to end, wait, and end it if it does not: the API server would wait for its watchers."""
        self._signal(signal.SIGTERM)
        if not self._gone_within(patience):
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
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


def launch(command: Sequence[str], log: Path, environment: dict[str, str]) -> Process:
    """Start a program in the cluster's cgroup, detached from this command and its terminal."""
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
    process = Process.of(child.pid)
    if process is None:
        raise ChildProcessError(f"{command[0]} ended as soon as it was started; its log is {log}.")
    # The child outlives this command on purpose; without this, Python would warn about it at exit.
    child.returncode = 0
    return process
