"""The chart's release in one namespace, installed with Helm."""

from __future__ import annotations

import json
from typing import Any

from tests.system.environment import ROOT, Environment
from tests.system.kubectl import run

SERVICES = ROOT / "tests" / "services"
CHART = ROOT / "charts" / "retraining-operator"
NAME = "retraining"
"""The release's name."""
DEPLOYMENT = "retraining-retraining-operator"


def image(reference: str) -> dict[str, str]:
    """Split an image's reference into the chart's two values."""
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


def install(environment: Environment, namespace: str, values: dict[str, Any]) -> None:
    """Install the release, or upgrade it.

    Args:
        environment: The cluster, its tools and images.
        namespace: The namespace.
        values: The chart's values.
    """
    images = {
        "image": image(environment.images["operator"]),
        "jobImage": image(environment.images["job"]),
    }
    helm(
        environment, namespace, "upgrade", "--install", NAME, str(CHART), "--create-namespace",
        "--values", "-",
        "--wait", "--timeout", "5m", stdin=json.dumps(images | values),
    )  # fmt: skip


def install_services(environment: Environment, namespace: str) -> None:
    """Install Kafka, Redis and PostgreSQL from public images. Keeps values that were set there.

    Args:
        environment: The cluster, its tools and images.
        namespace: The namespace.
    """
    helm(
        environment, namespace, "upgrade", "--install", "services", str(SERVICES),
        "--create-namespace",
        "--reuse-values", "--wait", "--timeout", "5m",
    )  # fmt: skip


def uninstall(environment: Environment, namespace: str) -> None:
    """Uninstall the release, and wait until its pods are gone.

    Args:
        environment: The cluster, its tools and images.
        namespace: The namespace.
    """
    helm(
        environment, namespace, "uninstall", NAME, "--wait", "--ignore-not-found", "--timeout", "2m"
    )


def helm(
    environment: Environment, namespace: str, *arguments: str, stdin: str | None = None
) -> str:
    """Run Helm in a namespace.

    Args:
        environment: The cluster, its tools and images.
        namespace: The namespace.
        *arguments: Helm's command line.
        stdin: What the command reads from standard input.

    Returns:
        The standard output.
    """
    access = environment.kubectl.inside(namespace).access
    return run([environment.helm, *access, *arguments], stdin, timeout=360)
