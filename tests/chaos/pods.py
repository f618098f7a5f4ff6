"""Pods that crash: how often they have, and a way around Kubernetes' patience with them."""

from __future__ import annotations

import subprocess
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from tests.system.kubectl import CommandError, Kubectl, wait_for


def look_after(kubectl: Kubectl, selector: str, seen: MutableMapping[str, int]) -> None:
    """Note how often each pod was started again, and replace those that Kubernetes makes wait for it.

    Args:
        kubectl: for the pods' namespace.
        selector: the pods' labels.
        seen: restarts by the pod's uid; what is gone by now stays in it.
    """
    with suppress(CommandError, subprocess.TimeoutExpired):
        for pod in kubectl.items("pods", selector):
            statuses = pod["status"].get("containerStatuses", ())
            seen[pod["metadata"]["uid"]] = sum(status["restartCount"] for status in statuses)
            if any((status["state"].get("waiting") or {}).get("reason") == "CrashLoopBackOff" for status in statuses):
                replace(kubectl, pod)


def replace(kubectl: Kubectl, pod: dict[str, Any]) -> None:
    """Let a pod's controller make another one at once, however long the API server is away itself.

    Started again in its place it would wait for minutes after some kills, as Kubernetes lets whatever crashes often.
    Never by force: the pod's name would be free before its program has ended, and two databases on one volume lose
    rows. By name and uid: asked twice, the second answer comes from the next pod of a StatefulSet.
    """
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]

    def deleted() -> bool:
        found = kubectl("get", "pod", name, "--ignore-not-found", "--output", "jsonpath={.metadata.uid}")
        if found == uid:
            kubectl("delete", "pod", name, "--grace-period=1", "--wait=false")
        return True

    wait_for(f"the pod {name} to be deleted", deleted)


def standing(kubectl: Kubectl, selector: str) -> str:
    """Say in what state the pods are."""
    return "; ".join(
        f"{pod['metadata']['name']}: {pod['status'].get('containerStatuses', pod['status'])}"
        for pod in kubectl.items("pods", selector)
    )
