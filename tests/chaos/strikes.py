"""Strikes at the release and its dependencies. Each returns a description of what it did."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.chaos import pods, processes
from tests.chaos.refusals import broken, overloaded
from tests.cluster import lifecycle
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.e2e.world import OPERATOR, World
from tests.system.kubectl import CommandError, Kubectl, wait_for

TRAINERS = "app.kubernetes.io/component=trainer"
PARTS = (
    "kube-apiserver",
    "etcd",
    "kubelet",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
)
SERVICES = ("kafka", "redis", "postgres")
LONGEST_AWAY_SECONDS = 4
"""In seconds: how long a Kubernetes component is down at most."""
AIM_SECONDS = 8
"""In seconds: how long a strike waits for a pod. The API server may just have been struck."""


@dataclass(frozen=True)
class Strike:
    """One kind of strike."""

    name: str
    weight: int
    kills: bool
    """Whether it kills a process. Other strikes drop packets or refuse calls."""
    do: Callable[[World, Random], str | None]
    """Strikes. Returns a description, or None if there was nothing to strike."""


def operator(world: World, source: Random) -> str | None:
    """Kill one of the operators, leader or standby."""
    pod = aimed(world.kubectl, OPERATOR, source)
    return f"killed the operator {name_of(pod)}" if pod and killed(world.kubectl, pod) else None


def trainer(world: World, source: Random) -> str | None:
    """Kill a trainer at a random moment of its run."""
    pod = aimed(world.kubectl, TRAINERS, source)
    time.sleep(source.random() * 1.5)
    return (
        f"killed the trainer {name_of(pod)}"
        if pod and processes.kill(pod["metadata"]["uid"])
        else None
    )


def part(name: str) -> Callable[[World, Random], str | None]:
    """Kill a Kubernetes component, and start it again after a while."""

    def strike(_: World, source: Random) -> str | None:
        paths, component = Paths.here(), lifecycle.named(name)
        process = lifecycle.process(paths, component)
        if process is None:
            return None
        process.kill()
        away = source.random() * LONGEST_AWAY_SECONDS
        time.sleep(away)
        lifecycle.start(paths, component)
        with suppress(
            ClusterError
        ):  # struck again, or a dependency is down; repaired at the round's end
            lifecycle.wait_until_healthy(paths, component)
        return f"killed {name} and started it again after {away:.1f} s"

    return strike


def service(name: str) -> Callable[[World, Random], str | None]:
    """Kill Kafka, Redis or PostgreSQL."""

    def strike(world: World, source: Random) -> str | None:
        kubectl = world.environment.services
        pod = aimed(kubectl, labels(name), source)
        return f"killed {name}" if pod and killed(kubectl, pod) else None

    return strike


def cut(world: World, source: Random) -> str | None:
    """Drop all packets of an operator for a while, or those to Kafka or to the API server."""
    pod = aimed(world.kubectl, OPERATOR, source)
    if not pod:
        return None
    what, rule = source.choice(
        [("everything", []), ("Kafka", to(world, "kafka", world.environment.services.namespace)),
         ("the API server", to(world, "kubernetes", "default"))]
    )  # fmt: skip
    seconds = source.uniform(2, 20)
    with dropped(pod, rule):
        time.sleep(seconds)
    return f"cut the operator {name_of(pod)} off from {what} for {seconds:.0f} s"


def full_redis(world: World, source: Random) -> str:
    """Leave Redis no memory for a while."""
    seconds = source.uniform(2, 10)
    wait_for("Redis", lambda: world.redis.run("CONFIG", "SET", "maxmemory", "1mb"))
    try:
        time.sleep(seconds)
    finally:
        wait_for("Redis", lambda: world.redis.run("CONFIG", "SET", "maxmemory", "0"))
    return f"left Redis no memory for {seconds:.0f} s"


def too_many(world: World, source: Random) -> str:
    """Let the API server answer 429."""
    seconds = source.uniform(2, 10)
    with overloaded(world.kubectl, account(world)):
        time.sleep(seconds)
    return f"let the API server answer 429 to the operators for {seconds:.0f} s"


def internal_errors(world: World, source: Random) -> str:
    """Let the API server answer 500."""
    seconds = source.uniform(2, 10)
    with broken(world.kubectl):
        time.sleep(seconds)
    return f"let the API server answer 500 to writes for {seconds:.0f} s"


STRIKES = (
    Strike("operator", 7, True, operator),
    Strike("trainer", 8, True, trainer),
    *(
        Strike(name, 1, True, part(name)) for name in PARTS
    ),  # where one of them is down, little is left to be struck
    *(Strike(name, 3, True, service(name)) for name in SERVICES),
    Strike("network", 1, False, cut),
    Strike("full Redis", 1, False, full_redis),
    Strike("429", 1, False, too_many),
    Strike("500", 1, False, internal_errors),
)


def labels(service: str) -> str:
    """Give the selector of a service's pod."""
    return f"app.kubernetes.io/name={service}"


def aimed(kubectl: Kubectl, selector: str, source: Random) -> dict[str, Any] | None:
    """Choose a pod that runs; None where there is none for a while."""
    deadline = time.monotonic() + AIM_SECONDS
    while time.monotonic() < deadline:
        if found := sorted(running(kubectl, selector), key=name_of):
            return source.choice(found)
        time.sleep(0.1)
    return None


def running(kubectl: Kubectl, selector: str) -> list[dict[str, Any]]:
    """Give the pods that run; none where the API server is away itself."""
    with suppress(CommandError, subprocess.TimeoutExpired):
        found = kubectl.items("pods", selector)
        return [
            pod
            for pod in found
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]
    return []


def name_of(pod: dict[str, Any]) -> str:
    """Give a pod's name."""
    return str(pod["metadata"]["name"])


def killed(kubectl: Kubectl, pod: dict[str, Any]) -> bool:
    """Kill a pod's processes, and let its controller make another pod."""
    if not processes.kill(pod["metadata"]["uid"]):
        return False
    pods.replace(kubectl, pod)
    return True


def to(world: World, service: str, namespace: str) -> list[str]:
    """Give the part of a rule that matches packets to a Service."""
    found = wait_for(
        f"the Service {service}", lambda: world.kubectl.inside(namespace).get("service", service)
    )
    return ["--destination", found["spec"]["clusterIP"]]


def account(world: World) -> str:
    """Give the name of the operator's service account."""
    [deployment] = wait_for("the operator's Deployment", lambda: world.kubectl.items("deployments"))
    return str(deployment["spec"]["template"]["spec"]["serviceAccountName"])


@contextmanager
def dropped(pod: dict[str, Any], rule: list[str]) -> Iterator[None]:
    """Drop what a pod sends, as far as a rule matches."""
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
