"""Time from a kill during a burst to the burst's last Job, with one replica and with a standby.

The floor is an empty Python container that is killed in the same way, until its first output line.
Each kill hits a fresh pod, because Kubernetes delays the restart of a container that dies often.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench.operator.place import NOWHERE, Place
from tests.bench.operator.records import producing
from tests.bench.operator.sight import new_jobs
from tests.chaos import processes
from tests.system import environment, release
from tests.system.kubectl import wait_for

BURST = 50
ROUNDS = 5
KILLED_AFTER = (1, 10, 20)
"""Numbers of the burst's Jobs that exist when the operator is killed, in turn."""
SETTLE_SECONDS = 5
OPERATOR = "app.kubernetes.io/component=operator"
PROGRAM = "import time; print(time.time(), flush=True); time.sleep(3600)"


@dataclass(frozen=True)
class Recovery:
    """Seconds from the kill, one per round."""

    floor: list[float]
    """To the first line of an empty Python container."""
    alone: list[float]
    """To the last Job, with one replica."""
    standby: list[float]
    """To the last Job, with a standby, after the leader's pod was deleted."""


async def measure_recovery(place: Place, standby: Place) -> Recovery:
    """Measure all three.

    Args:
        place: for the floor and the single replica.
        standby: for the two replicas.

    Returns:
        The times.
    """
    return Recovery(
        floor=await asyncio.to_thread(measure_floor, place),
        alone=await measure_release(place, replicas=1),
        standby=await measure_release(standby, replicas=2),
    )


def measure_floor(place: Place) -> list[float]:
    """Kill empty Python containers; returns the seconds from each kill to the next first line."""
    found = []
    for number in range(ROUNDS):
        name = f"empty-{number}"
        container = {
            "name": "empty",
            "image": environment.ours().images["operator"],
            "command": ["/opt/venv/bin/python", "-c", PROGRAM],
        }
        place.kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name},
                "spec": {"containers": [container]},
            }
        )
        place.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        killed = time.time()
        processes.kill(place.kubectl.get("pod", name)["metadata"]["uid"])
        wait_for("the next start", partial(restarted, place, name))
        found.append(float(place.kubectl("logs", name).split()[-1]) - killed)
        place.kubectl("delete", "pod", name, "--grace-period=1", "--wait=false")
    return found


def restarted(place: Place, name: str) -> bool:
    """Return whether a pod's container was started again and runs.

    Args:
        place: Namespace and topic.
        name: The pod's name.

    Returns:
        Whether it was.
    """
    [status] = place.kubectl.get("pod", name)["status"]["containerStatuses"]
    return bool(status["restartCount"]) and "running" in status["state"]


async def measure_release(place: Place, *, replicas: int) -> list[float]:
    """Kill the leader in bursts; returns the seconds from each kill to the last Job.

    Args:
        place: where the release is installed.
        replicas: one, or two for a standby's takeover.

    Returns:
        The seconds, one per kill.
    """
    await asyncio.to_thread(
        release.install, environment.ours(), place.namespace, values(place, replicas)
    )
    found, total = [], 0
    async with producing(place) as producer, new_jobs(place) as jobs:
        for number in range(ROUNDS):
            leader = await asyncio.to_thread(a_fresh_leader, place, replicas)
            await producer.send()
            total += 1
            await jobs.wait_for(total)
            await asyncio.sleep(SETTLE_SECONDS)
            await producer.send(BURST)
            await jobs.wait_for(total + KILLED_AFTER[number % len(KILLED_AFTER)])
            killed = time.perf_counter()
            processes.kill(leader["metadata"]["uid"])
            if replicas > 1:  # otherwise Kubernetes restarts it in place
                name = leader["metadata"]["name"]
                await asyncio.to_thread(
                    place.kubectl, "delete", "pod", name, "--force", "--grace-period=0"
                )
            total += BURST
            found.append(await jobs.wait_for(total, 120) - killed)
    await asyncio.to_thread(release.uninstall, environment.ours(), place.namespace)
    return found


def a_fresh_leader(place: Place, replicas: int) -> dict[str, Any]:
    """Replace the operator's pods and return the one that leads.

    Args:
        place: Namespace and topic.
        replicas: The number of operators.

    Returns:
        The pod.
    """
    place.kubectl("delete", "pod", "--selector", OPERATOR)
    place.kubectl("rollout", "status", f"deployment/{release.DEPLOYMENT}", "--timeout=120s")

    def leader() -> dict[str, Any] | None:
        pods = {pod["metadata"]["name"]: pod for pod in place.kubectl.items("pods", OPERATOR)}
        holder = (
            place.kubectl.get("lease", "retraining-operator")["spec"].get("holderIdentity") or ""
        )
        return pods.get(holder.partition("_")[0]) if len(pods) == replicas else None

    found: dict[str, Any] = wait_for("a leader", leader, 60)
    return found


def values(place: Place, replicas: int) -> dict[str, Any]:
    """Build the release's values: defaults, with room for each request and Jobs without a node.

    Args:
        place: Namespace and topic.
        replicas: The number of operators.

    Returns:
        The chart's values.
    """
    secrets = {"redis": "redis", "database": "database"}
    for name in secrets.values():
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
        place.kubectl.apply({**secret, "stringData": {"url": f"{name}://nowhere.invalid/0"}})
    broker = f"kafka.{environment.ours().services.namespace}.svc:9092"
    return {
        "replicas": replicas,
        "kafka": {"bootstrapServers": broker, "topic": place.topic, "groupId": place.topic},
        "redis": {"existingSecret": "redis"},
        "database": {"existingSecret": "database", "migrate": False},
        "triggers": {"maxConcurrent": 10_000},
        "job": {"nodeSelector": NOWHERE},
    }
