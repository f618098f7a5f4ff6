"""A namespace and a topic for one measurement, reached as the operator reaches them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.connection import connect
from tests.system import environment
from tests.system.endpoints import broker
from tests.system.environment import STATE
from tests.system.kubectl import Kubectl

NOWHERE = {"retraining.dev/bench": "no-node-has-this"}
"""A node selector. Jobs and pods are really created, but no trainer uses the processor."""


@dataclass(frozen=True)
class Place:
    """A namespace and a topic."""

    kubectl: Kubectl
    topic: str
    cluster: KubeClient

    @property
    def namespace(self) -> str:
        """Its name."""
        return self.kubectl.namespace

    def config(self, **changes: Any) -> dict[str, Any]:
        """Build the operator's configuration file: defaults, with Jobs that never get a node."""
        return {
            "namespace": self.namespace,
            "kafka": {"bootstrapServers": broker(), "topic": self.topic, "groupId": self.topic},
            "redis": {"name": "redis"},
            "database": {"name": "database"},
            "job": {
                "image": "localhost/none:none",
                "serviceAccountName": "default",
                "nodeSelector": NOWHERE,
            },
            **changes,
        }


@asynccontextmanager
async def a_place(name: str) -> AsyncIterator[Place]:
    """Create a namespace and a topic. They are deleted at the end without waiting."""
    mark = f"bench-{name}-{secrets.token_hex(3)}"
    kubectl = environment.ours().kubectl.inside(mark)
    kubectl("create", "namespace", mark)
    with closing(KafkaAdminClient(bootstrap_servers=broker())) as admin:
        admin.create_topics([NewTopic(mark, 1, 1)])
        try:
            async with connect(mark, str(STATE / "kubeconfig")) as cluster:
                yield Place(kubectl, mark, cluster)
        finally:
            admin.delete_topics([mark])
            kubectl("delete", "namespace", mark, "--wait=false")
