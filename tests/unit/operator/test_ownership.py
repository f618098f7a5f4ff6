"""Only a Job that the operator has created, and its pods, are believed."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.names import Task, build_job_name
from retraining_operator.api.request import read_request
from retraining_operator.kube.resources import JOBS
from retraining_operator.settings import Settings
from tests.unit.operator.attempts import document, job_owner
from tests.unit.operator.memory_cluster import NOW, MemoryCluster, MemoryOperator

Build = Callable[..., dict[str, Any]]
UID = "uid-of-first"
TRAINING = build_job_name("first", UID)
FORGED = {"verdict": "Promoted", "promoted": True, "version": 4242, "reason": "superior"}


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def operator(cluster: MemoryCluster, settings: Settings) -> MemoryOperator:
    return MemoryOperator(cluster, settings)


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


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"apiVersion": "evil.example/v1"}, id="of another API group"),
        pytest.param({"apiVersion": "retraining.dev.evil.example/v1"}, id="of a similar group"),
        pytest.param({"apiVersion": "v1"}, id="of the core group"),
        pytest.param({"kind": "CronJob"}, id="of another kind"),
        pytest.param({"controller": False}, id="not by a controller"),
        pytest.param({"controller": "true"}, id="with a text for a boolean"),
        pytest.param({"name": "second"}, id="with another name of the owner"),
        pytest.param({"uid": "uid-of-second"}, id="with another uid"),
        pytest.param({"uid": [UID]}, id="with a list for a uid"),
        pytest.param({}, id="as the request itself would have"),
    ],
)
async def test_forged_job_beside_a_suspended_request_changes_nothing(
    cluster: MemoryCluster,
    operator: MemoryOperator,
    request_body: Build,
    changes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_request(cluster, request_body(spec={"suspend": True}))
    forge_job(cluster, **changes)
    with caplog.at_level(logging.WARNING):
        await operator.reconcile()
    status = operator.status()
    assert operator.condition()[:2] == ("Unknown", "Suspended")
    assert not {"verdict", "version", "jobName", "jobUid"} & status.keys()
    assert operator.count_problems("foreign") == 1
    lines = [record.message for record in caplog.records if "uid forged" in record.message]
    assert len(lines) == 1
    assert "It is ignored" in lines[0] or "not believed" in lines[0]


async def test_event_names_the_forged_job(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body(spec={"suspend": True}))
    forge_job(cluster, apiVersion="evil.example/v1")
    await operator.reconcile()
    [note] = operator.event_notes("ForeignObject")
    assert f"{TRAINING} (uid forged)" in note


async def test_forged_job_of_another_name_hides_no_own_job(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    forge_job(cluster, name="first-000000000000")
    await operator.reconcile()
    assert operator.condition()[1] == "JobCreated"
    finish_job(cluster, TRAINING, document(NOW, verdict="Kept", reason="inferior"))
    await operator.reconcile()
    assert (operator.status()["verdict"], operator.condition()[0]) == ("Kept", "True")


async def test_squatter_of_the_name_ends_the_request_and_is_not_believed(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    forge_job(cluster)
    put_request(cluster, request_body())
    await operator.reconcile()
    truth, reason, message = operator.condition()
    assert (truth, reason) == ("False", "JobNameTaken")
    assert f"{TRAINING} is taken by a Job (uid forged)" in message
    assert "verdict" not in operator.status()


async def test_squatter_that_copies_the_whole_manifest_is_not_believed(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    put_request(cluster, request_body())
    manifest = build_job(read_request(cluster.objects["retrainrequests", "first"]), settings)
    copied = cluster.put("jobs", manifest)
    finish_job(cluster, TRAINING, document(NOW, **FORGED))
    await operator.reconcile()
    assert operator.condition()[1] == "JobNameTaken"
    assert copied["metadata"]["uid"] in operator.condition()[2]


async def test_squatter_cannot_guess_the_launch_from_the_status(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    [digest] = operator.status()["launches"]
    cluster.objects["retrainrequests", "first"]["status"].pop("jobUid")
    del cluster.objects["jobs", TRAINING]
    forge_job(cluster, annotations={"retraining.dev/launch": digest})
    restarted = MemoryOperator(cluster, operator_settings(operator))
    await restarted.reconcile()
    assert restarted.status().get("version") is None
    assert restarted.condition()[1] == "JobDeleted"


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


async def test_job_that_replaces_a_deleted_one_is_not_believed(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    own = cluster.objects.pop(("jobs", TRAINING))
    annotations = own["metadata"]["annotations"]  # the random text is public by now
    forge_job(cluster, annotations=annotations)
    await operator.reconcile()
    assert operator.condition()[1] == "JobDeleted"
    assert "version" not in operator.status()


async def test_own_job_is_adopted_after_its_answer_was_lost(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    cluster.lost_answers = 1
    put_request(cluster, request_body())
    await operator.reconcile(1)
    assert operator.condition()[1] == "JobRefusedForNow"
    restarted = MemoryOperator(cluster, settings)
    await restarted.reconcile()
    assert restarted.jobs() == [TRAINING]
    assert restarted.condition()[1] == "JobCreated"
    own_uid = cluster.objects["jobs", TRAINING]["metadata"]["uid"]
    assert restarted.status()["jobUid"] == own_uid


async def test_job_that_another_process_creates_late_is_adopted(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    """The process that created it has died, and its successor has announced a launch as well."""
    put_request(cluster, request_body())
    await operator.reconcile(1)
    late = cluster.objects.pop(("jobs", TRAINING))
    successor = MemoryOperator(cluster, settings)
    await successor.reconcile(1)
    assert len(successor.status()["launches"]) == 2
    cluster.objects["jobs", TRAINING] = late
    third = MemoryOperator(cluster, settings)
    await third.reconcile()
    assert third.condition()[1] == "JobCreated"
    assert third.status()["jobUid"] == late["metadata"]["uid"]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"spec": {"suspend": True}}, id="a queue suspends it"),
        pytest.param({"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "q"}}}, id="a label"),
        pytest.param({"metadata": {"labels": {"retraining.dev/task": None}}}, id="a lost label"),
        pytest.param({"metadata": {"annotations": {"retraining.dev/launch": None}}}, id="the mark"),
        pytest.param(
            {"spec": {"template": {"spec": {"initContainers": [{"name": "mesh"}]}}}},
            id="a sidecar is injected",
        ),
        pytest.param(
            {"spec": {"template": {"spec": {"containers": [{"image": "mirror/x:1"}]}}}},
            id="its image is rewritten",
        ),
    ],
)
async def test_change_of_an_own_job_does_not_matter(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, edit: dict[str, Any]
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    await cluster.patch(JOBS, TRAINING, edit)
    finish_job(cluster, TRAINING, document(NOW, verdict="Kept", reason="inferior"))
    await operator.reconcile()
    assert operator.status()["verdict"] == "Kept"
    assert operator.count_problems("foreign") == 0


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


async def test_forged_jobs_take_no_place_of_others(
    cluster: MemoryCluster, settings: Settings, request_body: Build
) -> None:
    one = settings.model_copy(
        update={"triggers": settings.triggers.model_copy(update={"max_concurrent": 1})}
    )
    operator = MemoryOperator(cluster, one)
    put_request(cluster, request_body(spec={"suspend": True}))
    job = forge_job(cluster)
    running = copy.deepcopy(job)
    running["status"] = {"active": 1}
    cluster.put("jobs", running)
    put_request(cluster, request_body("second", created="2026-03-01T11:30:00Z"))
    await operator.reconcile()
    assert operator.condition(name="second")[1] == "JobCreated"
    assert operator.cache.count_waiting() == 0  # a suspended request does not count
    resumed = request_body()
    resumed["metadata"]["resourceVersion"] = "1000"
    operator.cache.update_request(resumed)
    assert operator.cache.count_waiting() == 1


async def test_outdated_crd_starts_no_job_and_says_why(
    cluster: MemoryCluster,
    operator: MemoryOperator,
    request_body: Build,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster.pruned_fields = {"launches", "jobUid"}
    put_request(cluster, request_body())
    await operator.reconcile()
    assert operator.jobs() == []
    assert "crds/retrainrequests.yaml" in caplog.text


DECIDING = build_job_name("first", UID, Task.DECIDE)


async def await_approval(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    put_request(cluster, request_body())
    await operator.reconcile()
    waits = {"verdict": "Promoted", "withheld": "AwaitingApproval", "reason": "superior"}
    finish_job(cluster, TRAINING, document(NOW, **waits))
    await operator.reconcile()
    assert operator.condition("Promoted")[1] == "AwaitingApproval"


async def test_forged_decision_beside_a_challenger_that_waits_changes_nothing(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    await await_approval(cluster, operator, request_body)
    forge_job(cluster, name=DECIDING, job_uid="forged-decision")
    await operator.reconcile()
    assert operator.condition("Promoted")[:2] == ("Unknown", "AwaitingApproval")
    assert operator.status().get("version") is None
    assert operator.count_problems("foreign") == 1


async def test_squatter_of_the_decision_s_name_is_not_believed(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    await await_approval(cluster, operator, request_body)
    forge_job(cluster, name=DECIDING, job_uid="forged-decision")
    operator.answer("Approve", "jane")
    await operator.reconcile()
    truth, reason, message = operator.condition("Promoted")
    assert (truth, reason) == ("False", "JobNameTaken")
    assert "uid forged-decision" in message
    assert operator.status().get("version") is None


async def test_approval_is_stored_before_its_job_and_a_change_of_the_job_does_not_alter_it(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    await await_approval(cluster, operator, request_body)
    operator.answer("Approve", "jane")
    await operator.reconcile()
    forged = {"metadata": {"annotations": {"retraining.dev/approval": "approve by the boss"}}}
    await cluster.patch(JOBS, DECIDING, forged)
    finish_job(cluster, DECIDING, document(NOW, verdict="Promoted", promoted=True, version=2))
    await operator.reconcile()
    assert operator.status()["approvalBy"] == "jane"
    assert operator.status()["version"] == 2
    assert operator.condition("Promoted")[0] == "True"


async def test_interrupted_launch_of_a_decision_is_repeated(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    await await_approval(cluster, operator, request_body)
    cluster.lost_answers = 1
    operator.answer("Approve", "jane")
    await operator.reconcile(1)
    cluster.has_policy = False
    restarted = MemoryOperator(cluster, settings)
    await restarted.reconcile()
    assert sorted(restarted.jobs()) == sorted([TRAINING, DECIDING])
    assert restarted.condition("Promoted")[1] == "ApplyingApproval"
    assert restarted.status()["approvalBy"] == "jane"
