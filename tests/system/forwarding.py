"""The test cluster's services, reached from outside of it through `kubectl port-forward`."""

from __future__ import annotations

import base64
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

CLUSTER = Path(__file__).parents[2] / ".cluster"
KUBECTL = (str(CLUSTER / "bin" / "kubectl"), "--kubeconfig", str(CLUSTER / "kubeconfig"), "--namespace", "retraining")
FORWARDING = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")


def is_there() -> bool:
    """Tell whether the test cluster was brought up."""
    return (CLUSTER / "kubeconfig").exists()


@contextmanager
def forwarded(service: str, port: int, local: str = "") -> Iterator[str]:
    """Give the address under which a service, or a pod as `pod/name`, is reached from here.

    kubectl ends once it meets a connection that the other side resets; another one takes its place.

    Args:
        service: what is reached.
        port: its port.
        local: the port here; any that is free where it is empty.
    """
    forward = Forward(service if "/" in service else f"service/{service}", port, local)
    try:
        yield forward.address
    finally:
        forward.end()


class Forward:
    """One `kubectl port-forward` after the other, all on the same port here."""

    def __init__(self, target: str, port: int, local: str) -> None:
        self._target, self._port = target, port
        self._ended = threading.Event()
        self.address = self._start(local)
        if not self.address:
            raise RuntimeError(f"kubectl port-forward to {target} did not start")
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _start(self, local: str) -> str:
        command = [*KUBECTL, "port-forward", self._target, f"{local}:{self._port}"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        match = FORWARDING.match(self._output.readline())
        return match.group(1) if match else ""

    @property
    def _output(self) -> IO[str]:
        if self._process.stdout is None:
            raise RuntimeError("it was started with a pipe")
        return self._process.stdout

    def _keep(self) -> None:
        local = self.address.rpartition(":")[2]
        while not self._ended.is_set():
            self._output.read()  # a line for each connection; it would stand still once nobody takes them
            self._process.wait()
            while not self._ended.wait(0.1) and not self._start(local):
                self._process.wait()

    def end(self) -> None:
        """End it for good."""
        self._ended.set()
        while self._keeper.is_alive():
            self._process.terminate()
            self._keeper.join(0.2)


def secret(name: str, key: str) -> str:
    """Read a Secret of the test cluster."""
    command = [*KUBECTL, "get", "secret", name, "--output", f"jsonpath={{.data.{key}}}"]
    return base64.b64decode(subprocess.run(command, check=True, capture_output=True).stdout).decode()


def at(url: str, *, address: str | None = None, path: str | None = None) -> str:
    """Give a URL with another address or path, the user and the password unchanged."""
    parts = urlsplit(url)
    login, _, own_address = parts.netloc.rpartition("@")
    netloc = f"{login}@{address or own_address}" if login else address or own_address
    return urlunsplit(parts._replace(netloc=netloc, path=parts.path if path is None else f"/{path}"))
