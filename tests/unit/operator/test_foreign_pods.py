"""Only pods of own Jobs, and results that name their run, are believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.operator.attempts import document, job_owner
from tests.unit.operator.forged_jobs import (
    FORGED,
    TRAINING,
    UID,
    finish_job,
    put_pod,
    put_request,
)
from tests.unit.operator.memory_cluster import NOW, MemoryCluster, MemoryOperator

Build = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param(job_owner("another-job"), id="of another Job"),
        pytest.param(job_owner("own") | {"kind": "ReplicaSet"}, id="of another kind"),
        pytest.param(job_owner("own") | {"apiVersion": "evil.example/v1"}, id="of another group"),
        pytest.param(job_owner("own") | {"controller": False}, id="without a controller"),
    ],
)
async def test_forged_pod_beside_an_own_one_is_not_believed(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, owner: dict[str, Any]
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    own_uid = cluster.objects["jobs", TRAINING]["metadata"]["uid"]
    forged = owner | {"uid": own_uid if owner["uid"] == "own" else owner["uid"]}
    put_pod(cluster, own_uid, document(NOW, **FORGED), name="forged", owner=forged)
    await operator.reconcile()
    assert operator.condition()[1] == "JobCreated"
    finish_job(cluster, TRAINING, document(NOW, verdict="Kept", reason="inferior"))
    await operator.reconcile()
    assert operator.status()["verdict"] == "Kept"
    assert operator.status().get("version") is None


async def test_result_document_of_another_run_is_not_believed(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    finish_job(cluster, TRAINING, document(NOW, **FORGED, run_id="uid-of-second"))
    await operator.reconcile()
    assert operator.condition()[1] == "ResultLost"
    assert "version" not in operator.status()


async def test_forged_pod_does_not_keep_a_deleted_job_alive(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    job = cluster.objects.pop(("jobs", TRAINING))
    operator.cache.remove_job(job)
    running = {
        "metadata": {
            "name": "for-ever",
            "labels": {"retraining.dev/request-uid": UID},
            "ownerReferences": [job_owner("another-job")],
        },
        "status": {"phase": "Running"},
    }
    cluster.put("pods", running)
    await operator.reconcile()
    assert operator.condition()[:2] == ("False", "JobDeleted")


async def test_pod_of_a_job_that_was_deleted_without_its_pods_is_waited_for(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    job = cluster.objects.pop(("jobs", TRAINING))
    operator.cache.remove_job(job)
    labels = {
        "retraining.dev/request-uid": UID,
        "batch.kubernetes.io/controller-uid": job["metadata"]["uid"],
    }
    orphan = {"metadata": {"name": "orphan", "labels": labels}, "status": {"phase": "Running"}}
    cluster.put("pods", orphan)
    await operator.reconcile(2)
    truth, reason, message = operator.condition()
    assert (truth, reason) == ("Unknown", "JobDeleted")
    assert "orphan" in message
    assert operator.count_problems("foreign") == 0
