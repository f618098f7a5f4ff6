"""The operator's pods: how often their program has crashed, and a way around Kubernetes' patience with what crashes."""

from __future__ import annotations

from contextlib import suppress

from tests.e2e.world import OPERATOR, World
from tests.system.kubectl import CommandError

SEEN: str = "chaos.retraining.dev/crashes"
"""On the Deployment: crashes of pods that are gone."""


def crashes(world: World) -> int:
    """Count how often an operator has crashed in its pod."""
    return counted(world) + sum(map(restarts, world.kubectl.items("pods", OPERATOR)))


def release_crashed(world: World) -> None:
    """Let a new pod take the place of one that Kubernetes makes wait because it crashes often."""
    with suppress(CommandError):
        for pod in world.kubectl.items("pods", OPERATOR):
            statuses = pod["status"].get("containerStatuses", ())
            if any((status["state"].get("waiting") or {}).get("reason") == "CrashLoopBackOff" for status in statuses):
                world.kubectl(
                    "annotate", "--overwrite", "deployments", "--all", f"{SEEN}={counted(world) + restarts(pod)}"
                )
                world.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")


def counted(world: World) -> int:
    """Read what is counted of pods that are gone."""
    [deployment] = world.kubectl.items("deployments")
    return int(deployment["metadata"].get("annotations", {}).get(SEEN, 0))


def restarts(pod: dict[str, object]) -> int:
    """Count how often a pod's containers were started again."""
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", ()))  # type: ignore[attr-defined]
