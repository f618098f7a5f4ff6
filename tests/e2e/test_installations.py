"""Installations in restricted namespaces, and by GitOps tools without a Helm release."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.test_outcomes import load_good
from tests.e2e.world import ClusterWorld, build_world
from tests.system import environment, release
from tests.system.kubectl import run, wait_for

QUOTA = {
    "requests.cpu": "2",
    "requests.memory": "4Gi",
    "limits.cpu": "4",
    "limits.memory": "8Gi",
    "pods": "10",
}


@pytest.fixture
def empty() -> Iterator[ClusterWorld]:
    """Create an empty namespace, in which the chart sets its own resources."""
    world = build_world(environment.ours())
    world.values.pop("job")
    world.redis.run("FLUSHDB")  # another session may have used it before
    yield world
    world.remove()


def test_defaults_install_and_train_under_a_quota_and_restricted_pod_security(
    empty: ClusterWorld,
) -> None:
    namespace = empty.kubectl.namespace
    empty.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"hard": QUOTA},
    }
    empty.kubectl.apply(quota)
    wait_for(
        "the quota",
        lambda: empty.kubectl.get("resourcequota", "team").get("status", {}).get("hard"),
    )
    empty.install()
    identity = "import os; print(os.getuid(), os.getgid(), *os.getgroups())"
    ids = empty.kubectl.execute(f"deployment/{release.DEPLOYMENT}", "python", "-c", identity)
    assert set(ids.split()) == {"65532"}
    load_good(empty)
    assert empty.wait_for_end(empty.apply("first"))["version"] == 1
    used = empty.kubectl.get("resourcequota", "team")["status"]["used"]
    assert used["limits.cpu"] != "0"
    empty.check_guarantees()


def test_manifests_rendered_without_a_namespace_work_wherever_they_are_applied_and_again(
    empty: ClusterWorld,
) -> None:
    images = {"image": release.image(empty.environment.images["operator"])}
    images |= {"jobImage": release.image(empty.environment.images["job"])}
    # Policies belong to the whole cluster, and rendered ones do not know their namespace.
    off = {"policy": {"create": False}}
    unguarded = {"approvals": off, "requests": empty.values["requests"] | off}

    def apply(**changes: object) -> str:
        values = json.dumps(images | empty.values | unguarded | changes)
        command = [
            empty.environment.helm,
            "template",
            release.NAME,
            str(release.CHART),
            "--values",
            "-",
        ]
        return empty.kubectl("apply", "--filename", "-", stdin=run(command, values))

    def migrations() -> list[dict[str, Any]]:
        return empty.kubectl.items("jobs", "app.kubernetes.io/name=retraining-operator")

    apply()
    again = apply()
    assert {line.rpartition(" ")[2] for line in again.splitlines()} == {"unchanged"}
    empty.wait_for_operator()
    wait_for(
        "the migration", lambda: all(job["status"].get("succeeded") for job in migrations()), 120
    )
    load_good(empty)
    assert empty.wait_for_end(empty.apply("first"))["version"] == 1

    apply(
        job={"labels": {"team": "fraud"}}
    )  # another migration Job, because a Job cannot be changed
    assert len(migrations()) == 2
    empty.wait_for_operator()
    assert empty.wait_for_end(empty.apply("second"))["version"] == 2
    assert empty.jobs("second")[0]["spec"]["template"]["metadata"]["labels"]["team"] == "fraud"
    empty.check_guarantees()
