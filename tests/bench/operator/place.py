"""Where one measurement happens: a namespace and a topic of its own, reached as the operator reaches them."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from retraining_operator.cluster import Cluster, connect
from tests.system import environment
from tests.system.environment import STATE
from tests.system.kubectl import Kubectl, wait_for

KAFKA_PORT = 19092
"""The port that Kafka advertises for those who reach it by kubectl port-forward."""
SERVER = f"localhost:{KAFKA_PORT}"
NOWHERE = {"retraining.dev/bench": "no-node-has-this"}
"""A node selector: Jobs and pods are really created, and no trainer takes the processor away."""


@dataclass(frozen=True)
class Place:
    """A namespace and a topic."""

    kubectl: Kubectl
    topic: str
    cluster: Cluster

    @property
    def namespace(self) -> str:
        """Its name."""
        return self.kubectl.namespace

    def config(self, **changes: Any) -> dict[str, Any]:
        """Give the operator's configuration file: its defaults, but for Jobs that never get a node."""
        return {
            "namespace": self.namespace,
            "kafka": {"bootstrapServers": SERVER, "topic": self.topic, "groupId": self.topic},
            "redis": {"name": "redis"},
            "database": {"name": "database"},
            "job": {"image": "localhost/none:none", "serviceAccountName": "default", "nodeSelector": NOWHERE},
            **changes,
        }


@asynccontextmanager
async def a_place(name: str) -> AsyncIterator[Place]:
    """Make a namespace and a topic; they are deleted in the end, and nobody waits for that."""
    mark = f"bench-{name}-{secrets.token_hex(3)}"
    kubectl = environment.ours().kubectl.inside(mark)
    kubectl("create", "namespace", mark)
    with closing(KafkaAdminClient(bootstrap_servers=SERVER)) as admin:
        admin.create_topics([NewTopic(mark, 1, 1)])
        try:
            async with connect(mark, str(STATE / "kubeconfig")) as cluster:
                yield Place(kubectl, mark, cluster)
        finally:
            admin.delete_topics([mark])
            kubectl("delete", "namespace", mark, "--wait=false")


@contextmanager
def reachable_kafka() -> Iterator[None]:
    """Keep Kafka's port open on this machine, also where another's forwarding of it comes and goes."""
    kubectl = environment.ours().services
    command = [kubectl.program, *kubectl.access, "port-forward", "service/kafka", f"{KAFKA_PORT}:{KAFKA_PORT}"]
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def forward() -> None:
        while not stopping.is_set():
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                running[:] = [process]
            stopping.wait(0.2)

    thread = threading.Thread(target=forward)
    thread.start()
    try:
        wait_for("Kafka's port", opens, 20)
        yield
    finally:
        stopping.set()
        for process in running:
            process.terminate()
        thread.join()


def opens() -> bool:
    """Tell whether something listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("localhost", KAFKA_PORT), timeout=1):
        return True
    return False
