"""Crashed pods: where their programs died, and their replacement without Kubernetes' backoff."""

from __future__ import annotations

import re
import subprocess
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from tests.system.kubectl import CommandError, Kubectl, wait_for

STOP_MESSAGE = re.compile(r"Stopping at the point ([a-z-]+)")
StopPoints = MutableMapping[tuple[str, int], str]
"""The named point at which a pod's program died, by the pod's uid and its number of restarts."""


def replace_crashed_pods(kubectl: Kubectl, selector: str, stop_points: StopPoints) -> None:
    """Record where programs died, and replace pods that wait for a restart.

    Args:
        kubectl: For the pods' namespace.
        selector: The pods' labels.
        stop_points: Is extended by the points that the containers logged last.
    """
    with suppress(CommandError, subprocess.TimeoutExpired):
        for pod in kubectl.items("pods", selector):
            statuses = pod["status"].get("containerStatuses", ())
            for status in statuses:
                stop_points.update(read_stop_points(pod["metadata"]["uid"], status))
            if any(
                (status["state"].get("waiting") or {}).get("reason") == "CrashLoopBackOff"
                for status in statuses
            ):
                replace(kubectl, pod)


def read_stop_points(uid: str, status: dict[str, Any]) -> dict[tuple[str, int], str]:
    """Read where a container died, before its last start and now.

    Args:
        uid: The pod's uid.
        status: The container's status.

    Returns:
        The points, by uid and number of restarts.
    """
    found = {}
    for state, starts in (
        ("lastState", status["restartCount"] - 1),
        ("state", status["restartCount"]),
    ):
        match = STOP_MESSAGE.search((status[state].get("terminated") or {}).get("message", ""))
        if match:
            found[uid, starts] = match[1]
    return found


def replace(kubectl: Kubectl, pod: dict[str, Any]) -> None:
    """Delete a pod, so that its controller creates another one. Retries without API server.

    After some kills, a restart in place would wait for minutes, because of Kubernetes' backoff. The
    pod is not deleted by force: its name would be free before its program has ended, and two
    databases on one volume lose rows. It is deleted by name and uid, because a repeated call would
    otherwise delete the next pod of a StatefulSet.

    Args:
        kubectl: For the namespace.
        pod: The pod.
    """
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]

    def deleted() -> bool:
        found = kubectl(
            "get", "pod", name, "--ignore-not-found", "--output", "jsonpath={.metadata.uid}"
        )
        if found == uid:
            kubectl("delete", "pod", name, "--grace-period=1", "--wait=false")
        return True

    wait_for(f"the pod {name} to be deleted", deleted)


def describe_pods(kubectl: Kubectl, selector: str) -> str:
    """Describe the state of the pods.

    Args:
        kubectl: For the namespace.
        selector: The label selector.

    Returns:
        The description.
    """
    return "; ".join(
        f"{pod['metadata']['name']}: {pod['status'].get('containerStatuses', pod['status'])}"
        for pod in kubectl.items("pods", selector)
    )
