"""Addresses of the test cluster's services for clients on this machine."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

CLUSTER = Path(__file__).parents[2] / ".cluster"
KUBECTL = (
    str(CLUSTER / "bin" / "kubectl"),
    "--kubeconfig",
    str(CLUSTER / "kubeconfig"),
    "--namespace",
    "retraining",
)
KAFKA_PORT = 19092
"""The listener that advertises the pod's address. The other one advertises a name for pods only."""


class NoEndpointError(OSError):
    """A pod has no address at the moment."""


def is_there() -> bool:
    """Return whether the test cluster exists."""
    return (CLUSTER / "kubeconfig").exists()


def endpoint(pod: str, port: int) -> str:
    """Return address and port of a pod. They do not change until the pod is deleted.

    Args:
        pod: The pod's name.
        port: The port.

    Returns:
        Address and port, separated by a colon.

    Raises:
        NoEndpointError: The pod, its address or the API server is unavailable at the moment.
    """
    command = [*KUBECTL, "get", "pod", pod, "--output", "jsonpath={.status.podIP}"]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)
    if asked.returncode or not asked.stdout:
        raise NoEndpointError(
            f"The pod {pod} has no address: {asked.stderr.strip() or 'it has not started yet'}"
        )
    return f"{asked.stdout}:{port}"


def broker() -> str:
    """Return Kafka's endpoint.

    Raises:
        NoEndpointError: It has none at the moment.
    """
    return endpoint("kafka-0", KAFKA_PORT)


def secret(name: str, key: str) -> str:
    """Read a Secret of the test cluster.

    Args:
        name: The Secret's name.
        key: The key in it.

    Returns:
        The decoded value.
    """
    command = [*KUBECTL, "get", "secret", name, "--output", f"jsonpath={{.data.{key}}}"]
    return base64.b64decode(
        subprocess.run(command, check=True, capture_output=True).stdout
    ).decode()


def at(url: str, *, address: str | None = None, path: str | None = None) -> str:
    """Return a URL with another address or path. User and password are unchanged.

    Args:
        url: The URL.
        address: The new host and port, or None.
        path: The new path, or None.

    Returns:
        The changed URL.
    """
    parts = urlsplit(url)
    login, _, own_address = parts.netloc.rpartition("@")
    netloc = f"{login}@{address or own_address}" if login else address or own_address
    return urlunsplit(
        parts._replace(netloc=netloc, path=parts.path if path is None else f"/{path}")
    )
