"""The operator's parts, in this process, with a real API server and a real Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.connection import connect
from retraining_operator.settings import LockedField, Settings
from tests.integration.operator.approval_rights import connect_as_operator, installed_rights
from tests.integration.operator.approvals import await_approval, request
from tests.integration.operator.parts import OperatorParts
from tests.integration.operator.runs import Start, free_port
from tests.integration.operator.topic import Topic
from tests.system import endpoints, environment
from tests.system.crd import install_crd
from tests.system.environment import STATE
from tests.system.kubectl import Kubectl, wait_for

OPEN_REQUESTS = {
    "open": list(LockedField),
    "maxResources": {"cpu": 1000, "memory": "1Ti", "nvidia.com/gpu": 8},
}
"""Requests may ask for everything, because most tests are not about limits."""


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """kubectl, with the CRD installed."""
    tool = environment.ours().kubectl
    install_crd(tool)
    return tool


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[Kubectl]:
    """A namespace for one test."""
    inside = kubectl.inside(f"it-{uuid.uuid4().hex[:8]}")
    inside("create", "namespace", inside.namespace)
    yield inside
    inside("delete", "namespace", inside.namespace, "--wait=false")


@pytest.fixture
def no_pods(namespace: Kubectl) -> None:
    """Forbid pods, so that a Job stays as it was created."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-pods"}}
    namespace.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    wait_for(
        "the quota", lambda: namespace.get("resourcequota", "no-pods").get("status", {}).get("hard")
    )


def plain_reason(reason: str) -> str:
    """Return a condition's reason. With `no_pods`, the pod of a created Job is refused later."""
    return "JobCreated" if reason == "PodRefused" else reason


@pytest.fixture
def settings(namespace: Kubectl) -> Settings:
    """Settings whose Jobs are created and never run, because their image does not exist."""
    return Settings.model_validate(
        {
            "namespace": namespace.namespace,
            "kafka": {
                "bootstrapServers": endpoints.broker(),
                "topic": f"it-{uuid.uuid4().hex[:8]}",
                "groupId": f"it-{uuid.uuid4().hex[:8]}",
            },
            "redis": {"name": "none"},
            "database": {"name": "none"},
            "requests": OPEN_REQUESTS,
            "job": {
                "image": "localhost/none:none",
                "imagePullPolicy": "Never",
                "serviceAccountName": "default",
            },
        }
    )


@pytest.fixture
async def cluster(settings: Settings) -> AsyncIterator[KubeClient]:
    """Connect as the operator does."""
    async with connect(settings.namespace, str(STATE / "kubeconfig")) as connected:
        yield connected


@pytest.fixture
def parts(settings: Settings) -> OperatorParts:
    """Return what the loops of one process share."""
    return OperatorParts(settings)


@pytest.fixture
def topic(settings: Settings) -> Topic:
    """The topic of the triggers."""
    return Topic(settings.kafka, settings.kafka.topic)


@pytest.fixture
def operator(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Start the operator as a process, with settings for its Jobs and without Kafka."""
    processes: list[subprocess.Popen[bytes]] = []

    def run(
        database_url: str | None,
        variables: dict[str, str] | None = None,
        triggers: dict[str, Any] | None = None,
        **job: Any,
    ) -> subprocess.Popen[bytes]:
        content = settings.model_dump(mode="json", by_alias=True)
        content["kafka"]["bootstrapServers"] = "localhost:1"
        content["triggers"] |= {"maxConcurrent": 20, **(triggers or {})}
        content["leaderElection"] |= {
            "leaseDurationSeconds": 3,
            "renewDeadlineSeconds": 2,
            "retryPeriodSeconds": 0.5,
        }
        content["job"] |= job
        content |= {
            "redis": {"name": "redis"},
            "database": {"name": "database"},
            "httpPort": free_port(),
        }
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps(content))
        database = {"DATABASE_URL": database_url} if database_url else {}
        given = {
            **os.environ,
            "KUBECONFIG": str(STATE / "kubeconfig"),
            **database,
            **(variables or {}),
        }
        command = [sys.executable, "-m", "retraining_operator", "--config", str(config)]
        processes.append(subprocess.Popen(command, env=given))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def rights(namespace: Kubectl) -> Iterator[Kubectl]:
    """Install Roles and policies without four eyes."""
    with installed_rights(namespace):
        yield namespace


@pytest.fixture
def strict(namespace: Kubectl) -> Iterator[Kubectl]:
    """Install Roles and policies with four eyes."""
    with installed_rights(namespace, "--set=approvals.fourEyes=true"):
        yield namespace


@pytest.fixture
async def operator_login(namespace: Kubectl, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """Connect as the operator. Depend on `rights` or `strict` before it."""
    async with connect_as_operator(namespace, tmp_path) as connected:
        yield connected


@pytest.fixture
async def waiting(namespace: Kubectl, cluster: KubeClient) -> dict[str, Any]:
    """Create a request whose challenger waits for approval. No policy is in force here."""
    return await await_approval(namespace, cluster, request(namespace))
