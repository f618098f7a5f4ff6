"""Jobs and pods that a neighbour in the namespace has created, and requests beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retraining_operator.api.names import Task, build_job_name
from retraining_operator.settings import Settings
from tests.unit.operator.attempts import document, job_owner
from tests.unit.operator.memory_cluster import NOW, MemoryCluster, MemoryOperator

Build = Callable[..., dict[str, Any]]
UID = "uid-of-first"
TRAINING = build_job_name("first", UID)
FORGED = {"verdict": "Promoted", "promoted": True, "version": 4242, "reason": "superior"}
DECIDING = build_job_name("first", UID, Task.DECIDE)


def put_request(cluster: MemoryCluster, body: dict[str, Any]) -> None:
    body.pop("status", None)
    cluster.put("retrainrequests", body)


def forge_job(cluster: MemoryCluster, *, job_uid: str = "forged", **changes: Any) -> dict[str, Any]:
    """Create a Job as a neighbour in the namespace, with a pod that has left a result document."""
    owner = {
        "apiVersion": "retraining.dev/v1alpha1",
        "kind": "RetrainRequest",
        "name": "first",
        "uid": UID,
        "controller": True,
    }
    metadata = {
        "name": changes.pop("name", TRAINING),
        "uid": job_uid,
        "labels": {"app.kubernetes.io/managed-by": "retraining-operator"},
        "annotations": changes.pop("annotations", {}),
        "ownerReferences": [owner | changes],
    }
    end = {
        "type": "Complete",
        "status": "True",
        "lastTransitionTime": "2026-03-01T11:05:00Z",
    }
    job = cluster.put("jobs", {"metadata": metadata, "spec": {}, "status": {"conditions": [end]}})
    put_pod(cluster, job["metadata"]["uid"], document(NOW, **FORGED))
    return job


def put_pod(
    cluster: MemoryCluster,
    job_uid: str,
    text: str,
    *,
    name: str = "",
    owner: dict[str, Any] | None = None,
) -> None:
    end = {"exitCode": 0, "message": text, "finishedAt": "2026-03-01T11:04:00Z"}
    metadata = {
        "name": name or f"pod-of-{job_uid}",
        "uid": f"pod-of-{job_uid}{name}",
        "labels": {"retraining.dev/request-uid": UID},
        "ownerReferences": [owner or job_owner(job_uid)],
    }
    state = [{"name": "trainer", "state": {"terminated": end}}]
    cluster.put(
        "pods",
        {"metadata": metadata, "status": {"phase": "Succeeded", "containerStatuses": state}},
    )


def finish_job(cluster: MemoryCluster, name: str, text: str) -> None:
    """End a Job as Kubernetes does."""
    job = cluster.objects["jobs", name]
    end = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-01T11:05:00Z"}
    cluster.put("jobs", {**job, "status": {"succeeded": 1, "conditions": [end]}})
    put_pod(cluster, job["metadata"]["uid"], text)


def operator_settings(_: MemoryOperator) -> Settings:
    return Settings.model_validate(
        {
            "namespace": "fraud",
            "kafka": {"bootstrapServers": "kafka:9092"},
            "redis": {"name": "redis-secret"},
            "database": {"name": "database-secret"},
            "job": {"image": "retraining-job:0.1.0"},
        }
    )


async def await_approval(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    waits = {"verdict": "Promoted", "withheld": "AwaitingApproval", "reason": "superior"}
    finish_job(cluster, TRAINING, document(NOW, **waits))
    await operator.reconcile()
    assert operator.condition("Promoted")[1] == "AwaitingApproval"
