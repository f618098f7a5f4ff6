"""Runs the steps of a command. Prints one line per step with its time, and the log of a failure."""

import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cluster.errors import ClusterError

SIGN_OF_LIFE = 10.0
"""Seconds after which a running step prints its progress."""


@dataclass(frozen=True)
class SetupTask:
    """One running step and the log of its commands."""

    name: str
    log: Path

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: IO[bytes] | None = None,
    ) -> None:
        """Run a command and append its output to the log.

        Args:
            command: The command line.
            environment: Environment variables, or None to inherit them.
            folder: The working directory.
            stdin: The file for standard input.

        Raises:
            ClusterError: The command failed.
        """
        with self.log.open("ab") as output:
            output.write(f"$ {' '.join(command)}\n".encode())
            output.flush()
            code = subprocess.run(
                # If this program is killed, its children end as well. Otherwise they would
                # interfere with the next try.
                ["setpriv", "--pdeathsig=TERM", *command],
                check=False,
                stdin=stdin or subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
            ).returncode
        if code:
            tail = "\n".join(f"    {line}" for line in last_lines(self.log, 12))
            raise ClusterError(
                f"`{command[0]}` exited with code {code}. Last lines of its log {self.log}:\n{tail}"
            )


class Steps:
    """The steps of one command."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def run(self, name: str, action: Callable[[SetupTask], object]) -> None:
        """Run one step.

        Args:
            name: The step's name.
            action: Runs the step.
        """
        self.together({name: action})

    def together(self, actions: Mapping[str, Callable[[SetupTask], object]]) -> None:
        """Run steps in parallel. If one fails, the command fails after all have ended.

        Args:
            actions: The steps by name.

        Raises:
            ClusterError: At least one step failed.
        """
        if not actions:
            return
        self._logs.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(actions)) as pool:
            running: dict[Future[object], SetupTask] = {}
            for name, action in actions.items():
                task = SetupTask(name, self._logs / f"{re.sub(r'[^a-zA-Z]+', '-', name)}.log")
                task.log.write_bytes(b"")
                running[pool.submit(action, task)] = task
            failures = self._watch(running, begun)
        if failures:
            raise ClusterError(
                f"Not done: {', '.join(failures)}. See above. Run the same command again."
            )

    def _watch(self, running: dict[Future[object], SetupTask], begun: float) -> list[str]:
        failures: list[str] = []
        while running:
            done, _ = wait(running, timeout=SIGN_OF_LIFE, return_when=FIRST_COMPLETED)
            seconds = time.monotonic() - begun
            for future in done:
                task = running.pop(future)
                error = future.exception()
                if error is not None and not isinstance(error, ClusterError | OSError):
                    raise error
                say(f"{'failed' if error else 'done':7} {task.name:32} {seconds:6.1f} s")
                if error is not None:
                    say(str(error))
                    failures.append(task.name)
            if not done:
                for task in running.values():
                    last = "".join(last_lines(task.log, 1))[:80]
                    say(f"{'...':7} {task.name:32} {seconds:6.0f} s  {last}")
        return failures


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last lines of a log that are not empty.

    Args:
        log: The log.
        count: The number of lines.

    Returns:
        The lines.
    """
    if not log.exists():
        return []
    lines = log.read_bytes()[-8192:].decode(errors="replace").splitlines()
    return [line.strip()[:300] for line in lines if line.strip()][-count:]


def say(line: str) -> None:
    """Print a line without buffering."""
    print(line, flush=True)
