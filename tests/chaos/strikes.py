"""Strikes at the release and its dependencies. Each returns a description of what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.chaos import processes
from tests.chaos.refusals import break_webhook, overload_api_server
from tests.chaos.targets import (
    account,
    choose_pod,
    drop_packets,
    kill_pod,
    labels,
    match_service,
    name_of,
)
from tests.cluster import lifecycle
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.e2e.world import OPERATOR, ClusterWorld
from tests.system.kubectl import wait_for

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


@dataclass(frozen=True)
class Strike:
    """One kind of strike."""

    name: str
    weight: int
    kills: bool
    """Whether it kills a process. Other strikes drop packets or refuse calls."""
    do: Callable[[ClusterWorld, Random], str | None]
    """Strikes. Returns a description, or None if there was nothing to strike."""


def operator(world: ClusterWorld, source: Random) -> str | None:
    """Kill one of the operators, leader or standby.

    Args:
        world: The release.
        source: Decides at random.

    Returns:
        What was done, or None if there was nothing to strike.
    """
    pod = choose_pod(world.kubectl, OPERATOR, source)
    return f"killed the operator {name_of(pod)}" if pod and kill_pod(world.kubectl, pod) else None


def trainer(world: ClusterWorld, source: Random) -> str | None:
    """Kill a trainer at a random moment of its run.

    Args:
        world: The release.
        source: Decides at random.

    Returns:
        What was done, or None if there was nothing to strike.
    """
    pod = choose_pod(world.kubectl, TRAINERS, source)
    time.sleep(source.random() * 1.5)
    return (
        f"killed the trainer {name_of(pod)}"
        if pod and processes.kill(pod["metadata"]["uid"])
        else None
    )


def part(name: str) -> Callable[[ClusterWorld, Random], str | None]:
    """Kill a Kubernetes component, and start it again after a while."""

    def strike(_: ClusterWorld, source: Random) -> str | None:
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


def service(name: str) -> Callable[[ClusterWorld, Random], str | None]:
    """Kill Kafka, Redis or PostgreSQL."""

    def strike(world: ClusterWorld, source: Random) -> str | None:
        kubectl = world.environment.services
        pod = choose_pod(kubectl, labels(name), source)
        return f"killed {name}" if pod and kill_pod(kubectl, pod) else None

    return strike


def cut(world: ClusterWorld, source: Random) -> str | None:
    """Drop all packets of an operator for a while, or those to Kafka or to the API server.

    Args:
        world: The release.
        source: Decides at random.

    Returns:
        What was done, or None if there was nothing to strike.
    """
    pod = choose_pod(world.kubectl, OPERATOR, source)
    if not pod:
        return None
    services = world.environment.services.namespace
    everything: list[str] = []
    what, rule = source.choice(
        [
            ("everything", everything),
            ("Kafka", match_service(world, "kafka", services)),
            ("the API server", match_service(world, "kubernetes", "default")),
        ]
    )
    seconds = source.uniform(2, 20)
    with drop_packets(pod, rule):
        time.sleep(seconds)
    return f"cut the operator {name_of(pod)} off from {what} for {seconds:.0f} s"


def full_redis(world: ClusterWorld, source: Random) -> str:
    """Leave Redis no memory for a while.

    Args:
        world: The release.
        source: Decides at random.

    Returns:
        What was done.
    """
    seconds = source.uniform(2, 10)
    wait_for("Redis", lambda: world.redis.run("CONFIG", "SET", "maxmemory", "1mb"))
    try:
        time.sleep(seconds)
    finally:
        wait_for("Redis", lambda: world.redis.run("CONFIG", "SET", "maxmemory", "0"))
    return f"left Redis no memory for {seconds:.0f} s"


def too_many(world: ClusterWorld, source: Random) -> str:
    """Make the API server answer 429 to the operators for a while.

    Args:
        world: The release.
        source: Decides at random.

    Returns:
        What was done.
    """
    seconds = source.uniform(2, 10)
    with overload_api_server(world.kubectl, account(world)):
        time.sleep(seconds)
    return f"made the API server answer 429 to the operators for {seconds:.0f} s"


def internal_errors(world: ClusterWorld, source: Random) -> str:
    """Make the API server answer 500 to writes for a while.

    Args:
        world: The release.
        source: Decides at random.

    Returns:
        What was done.
    """
    seconds = source.uniform(2, 10)
    with break_webhook(world.kubectl):
        time.sleep(seconds)
    return f"made the API server answer 500 to writes for {seconds:.0f} s"


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
