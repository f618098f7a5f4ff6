"""The test cluster's services as clients on this machine reach them: by their pods' addresses, which it routes to."""

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
"""Where Kafka advertises itself by its pod's address; by name it does so to other pods only."""


class NoEndpointError(OSError):
    """A pod has no address; it may have one in a moment."""


def is_there() -> bool:
    """Tell whether the test cluster was brought up."""
    return (CLUSTER / "kubeconfig").exists()


def endpoint(pod: str, port: int) -> str:
    """Give address and port of a pod, which stay as they are until the pod is deleted.

    Raises:
        NoEndpointError: the pod, its address or the API server is not there just now.
    """
    command = [*KUBECTL, "get", "pod", pod, "--output", "jsonpath={.status.podIP}"]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)
    if asked.returncode or not asked.stdout:
        raise NoEndpointError(
            f"The pod {pod} has no address: {asked.stderr.strip() or 'it has not started yet'}"
        )
    return f"{asked.stdout}:{port}"


def broker() -> str:
    """Give Kafka's endpoint.

    Raises:
        NoEndpointError: it has none just now.
    """
    return endpoint("kafka-0", KAFKA_PORT)


def secret(name: str, key: str) -> str:
    """Read a Secret of the test cluster."""
    command = [*KUBECTL, "get", "secret", name, "--output", f"jsonpath={{.data.{key}}}"]
    return base64.b64decode(
        subprocess.run(command, check=True, capture_output=True).stdout
    ).decode()


def at(url: str, *, address: str | None = None, path: str | None = None) -> str:
    """Give a URL with another address or path, the user and the password unchanged."""
    parts = urlsplit(url)
    login, _, own_address = parts.netloc.rpartition("@")
    netloc = f"{login}@{address or own_address}" if login else address or own_address
    return urlunsplit(
        parts._replace(netloc=netloc, path=parts.path if path is None else f"/{path}")
    )
