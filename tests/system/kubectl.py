"""kubectl in one namespace, as a function. Its error output is the text of the exception."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


class CommandError(Exception):
    """A command failed. The text contains its error output."""


def run(command: list[str], stdin: str | bytes | None = None, timeout: float = 120) -> str:
    """Run a command to its end. Returns its standard output.

    Args:
        command: The command line.
        stdin: What the command reads from standard input.
        timeout: The limit in seconds.

    Returns:
        The standard output.

    Raises:
        CommandError: It exits with another code than 0.
    """
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(command, input=data, capture_output=True, timeout=timeout, check=False)
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise CommandError(f"{Path(command[0]).name} {' '.join(command[1:6])} ...: {words}")
    return done.stdout.decode(errors="replace")


@dataclass(frozen=True)
class Kubectl:
    """One kubectl, one kubeconfig (None: the user's), one namespace."""

    program: str
    kubeconfig: Path | None
    namespace: str

    def inside(self, namespace: str) -> Kubectl:
        """Return the same for another namespace."""
        return replace(self, namespace=namespace)

    @property
    def access(self) -> list[str]:
        """The options that kubectl and helm share."""
        config = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return [*config, "--namespace", self.namespace]

    def __call__(
        self, *arguments: str, stdin: str | bytes | None = None, timeout: float = 120
    ) -> str:
        """Run kubectl."""
        return run([self.program, *self.access, *arguments], stdin, timeout)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Read an object.

        Args:
            kind: The object's kind.
            name: The object's name.

        Returns:
            The object.
        """
        answer: dict[str, Any] = json.loads(self("get", kind, name, "--output", "json"))
        return answer

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """List objects.

        Args:
            kind: The kind.
            selector: The label selector.

        Returns:
            The objects.
        """
        options = ["--selector", selector] if selector else []
        items: list[dict[str, Any]] = json.loads(self("get", kind, *options, "--output", "json"))[
            "items"
        ]
        return items

    def apply(self, manifest: Mapping[str, Any] | str) -> str:
        """Apply one manifest."""
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self("apply", "--filename", "-", stdin=text)

    def execute(
        self, pod: str, *command: str, stdin: str | bytes | None = None, timeout: float = 120
    ) -> str:
        """Run a command in a pod.

        Args:
            pod: The pod's name.
            *command: The command line.
            stdin: What the command reads from standard input.
            timeout: The limit in seconds.

        Returns:
            The standard output.
        """
        flag = ["--stdin"] if stdin is not None else []
        return self("exec", *flag, pod, "--", *command, stdin=stdin, timeout=timeout)


def wait_for(what: str, look: Callable[[], Any], timeout: float = 120, pause: float = 0.25) -> Any:
    """Wait until a function returns something true. A failing kubectl counts as false.

    Args:
        what: What is waited for, for the error.
        look: The function.
        timeout: The limit in seconds.
        pause: Seconds between two calls.

    Returns:
        What the function returned.

    Raises:
        TimeoutError: The text names what was waited for and what was seen last.
    """
    deadline, seen = time.monotonic() + timeout, "nothing"
    while time.monotonic() < deadline:
        try:
            found = look()
        except (CommandError, subprocess.TimeoutExpired) as error:
            found, seen = None, str(error)
        if found:
            return found
        time.sleep(pause)
    raise TimeoutError(f"Timed out after {timeout:.0f} s waiting for {what}. Seen last: {seen}.")
