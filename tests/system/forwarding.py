"""The test cluster's services, reached from outside of it through `kubectl port-forward`."""

from __future__ import annotations

import base64
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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

    Args:
        service: what is reached.
        port: its port.
        local: the port here; any that is free where it is empty.
    """
    target = service if "/" in service else f"service/{service}"
    command = [*KUBECTL, "port-forward", target, f"{local}:{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            output = process.stdout
            match = FORWARDING.match(output.readline()) if output else None
            if output is None or match is None:
                raise RuntimeError(f"kubectl port-forward to {service} did not start")
            # It writes a line for each connection, and would stand still once nobody takes them.
            threading.Thread(target=output.read, daemon=True).start()
            yield match.group(1)
        finally:
            process.terminate()


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
