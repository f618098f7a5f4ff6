"""The targets of strikes: running pods, their processes and their packets."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from tests.chaos import pods, processes
from tests.e2e.world import ClusterWorld
from tests.system.kubectl import CommandError, Kubectl, wait_for

AIM_SECONDS = 8
"""In seconds: how long a strike waits for a pod. The API server may just have been struck."""


def labels(service: str) -> str:
    """Return the label selector of a service's pod."""
    return f"app.kubernetes.io/name={service}"


def choose_pod(kubectl: Kubectl, selector: str, source: Random) -> dict[str, Any] | None:
    """Choose a running pod. Returns None if there is none for a while.

    Args:
        kubectl: For the namespace.
        selector: The label selector.
        source: Decides at random.

    Returns:
        The pod, or None.
    """
    deadline = time.monotonic() + AIM_SECONDS
    while time.monotonic() < deadline:
        if found := sorted(find_running_pods(kubectl, selector), key=name_of):
            return source.choice(found)
        time.sleep(0.1)
    return None


def find_running_pods(kubectl: Kubectl, selector: str) -> list[dict[str, Any]]:
    """Return the running pods, or nothing if the API server is unavailable.

    Args:
        kubectl: For the namespace.
        selector: The label selector.

    Returns:
        The pods.
    """
    with suppress(CommandError, subprocess.TimeoutExpired):
        found = kubectl.items("pods", selector)
        return [
            pod
            for pod in found
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]
    return []


def name_of(pod: dict[str, Any]) -> str:
    """Return a pod's name."""
    return str(pod["metadata"]["name"])


def kill_pod(kubectl: Kubectl, pod: dict[str, Any]) -> bool:
    """Kill a pod's processes and delete the pod. Returns whether there were processes.

    Args:
        kubectl: For the namespace.
        pod: The pod.

    Returns:
        Whether there were processes.
    """
    if not processes.kill(pod["metadata"]["uid"]):
        return False
    pods.replace(kubectl, pod)
    return True


def match_service(world: ClusterWorld, service: str, namespace: str) -> list[str]:
    """Return the part of an iptables rule that matches packets to a Service.

    Args:
        world: The release.
        service: The Service's name.
        namespace: Its namespace.

    Returns:
        Arguments of iptables.
    """
    found = wait_for(
        f"the Service {service}", lambda: world.kubectl.inside(namespace).get("service", service)
    )
    return ["--destination", found["spec"]["clusterIP"]]


def account(world: ClusterWorld) -> str:
    """Return the name of the operator's service account."""
    [deployment] = wait_for("the operator's Deployment", lambda: world.kubectl.items("deployments"))
    return str(deployment["spec"]["template"]["spec"]["serviceAccountName"])


@contextmanager
def drop_packets(pod: dict[str, Any], rule: list[str]) -> Iterator[None]:
    """Drop the packets of a pod that match a rule, for the block.

    Args:
        pod: The pod.
        rule: The part of an iptables rule that matches.

    Yields:
        Nothing, while packets are dropped.
    """
    process = next(processes.of_pod(pod["metadata"]["uid"]), None)
    if process is None:
        yield
        return
    inside = ["nsenter", f"--target={process}", "--net", "--", "iptables", "--wait"]
    match = ["OUTPUT", *rule, "--jump", "DROP"]
    subprocess.run([*inside, "--insert", *match], check=False, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*inside, "--delete", *match], check=False, capture_output=True)
