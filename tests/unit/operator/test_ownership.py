"""Only a Job that the operator has created is believed."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.request import read_request
from retraining_operator.kube.resources import JOBS
from retraining_operator.settings import Settings
from tests.unit.operator.attempts import document
from tests.unit.operator.forged_jobs import (
    FORGED,
    TRAINING,
    UID,
    finish_job,
    forge_job,
    operator_settings,
    put_request,
)
from tests.unit.operator.memory_cluster import NOW, MemoryCluster, MemoryOperator

Build = Callable[..., dict[str, Any]]


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
