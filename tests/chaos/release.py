"""The release under test: two operators with short leases that also crash, and small trainers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.topics import RoundTopic
from tests.e2e.test_outcomes import load_good
from tests.e2e.world import ClusterWorld, build_world
from tests.system import environment

CRASHES = 0.02
"""The probability that an operator kills itself at a named point."""


def install(world: ClusterWorld, topic: RoundTopic) -> None:
    """Install the release, or change it, so that it reads a round's topic.

    Args:
        world: The release.
        topic: The topic.
    """
    world.install(
        kafka=world.values["kafka"] | topic.values,
        replicas=2,
        leaderElection={
            "leaseDurationSeconds": 6,
            "renewDeadlineSeconds": 4,
            "retryPeriodSeconds": 1,
        },
        env=[{"name": "CRASH_POINTS", "value": f"{CRASHES}"}],
        triggers={"maxConcurrent": 3},
        job={
            **world.values["job"],
            "retries": 20,
            "ttlSecondsAfterSuccess": 30,
            "ttlSecondsAfterFailure": 30,
        },
    )


@contextmanager
def chaotic_world() -> Iterator[ClusterWorld]:
    """Create its namespace with a database and Redis. Removes everything at the end."""
    world = build_world(environment.ours())
    install(world, RoundTopic(world.kafka.topic, "earliest"))  # its hook creates the tables
    try:
        world.clear()
        load_good(world)
        yield world
    finally:
        world.remove()
