"""Pods that crash: how often they have, and a way around Kubernetes' patience with them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from tests.system.kubectl import CommandError, Kubectl, wait_for

LAST_WORDS = re.compile(r"Stopping at the point ([a-z-]+)")
Falls = MutableMapping[tuple[str, int], str]
"""At which named point a pod's program fell, by the pod's uid and how often it had been started again before."""


def look_after(kubectl: Kubectl, selector: str, falls: Falls) -> None:
    """Note at which points programs fell, and replace pods that Kubernetes makes wait for their next start.

    Args:
        kubectl: for the pods' namespace.
        selector: the pods' labels.
        falls: taken in by what their containers said last; what is gone by now stays in it.
    """
    with suppress(CommandError, subprocess.TimeoutExpired):
        for pod in kubectl.items("pods", selector):
            statuses = pod["status"].get("containerStatuses", ())
            for status in statuses:
                falls.update(fallen(pod["metadata"]["uid"], status))
            if any(
                (status["state"].get("waiting") or {}).get("reason") == "CrashLoopBackOff"
                for status in statuses
            ):
                replace(kubectl, pod)


def fallen(uid: str, status: dict[str, Any]) -> dict[tuple[str, int], str]:
    """Read where a container fell, before its last start and now."""
    found = {}
    for state, starts in (
        ("lastState", status["restartCount"] - 1),
        ("state", status["restartCount"]),
    ):
        said = LAST_WORDS.search((status[state].get("terminated") or {}).get("message", ""))
        if said:
            found[uid, starts] = said[1]
    return found


def replace(kubectl: Kubectl, pod: dict[str, Any]) -> None:
    """Let a pod's controller make another one at once, however long the API server is away itself.

    Started again in its place it would wait for minutes after some kills, as Kubernetes lets
    whatever crashes often. Never by force: the pod's name would be free before its program has
    ended, and two databases on one volume lose rows. By name and uid: asked twice, the second
    answer comes from the next pod of a StatefulSet.
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


def standing(kubectl: Kubectl, selector: str) -> str:
    """Say in what state the pods are."""
    return "; ".join(
        f"{pod['metadata']['name']}: {pod['status'].get('containerStatuses', pod['status'])}"
        for pod in kubectl.items("pods", selector)
    )
