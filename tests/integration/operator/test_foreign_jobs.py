"""A Job that a neighbour in the namespace creates is not believed, whatever it claims."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.request import read_request
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate, reconcile
from tests.integration.operator.runs import condition, events
from tests.integration.operator.test_approval import patch_status
from tests.integration.operator.test_reconciler import apply, reason, settle
from tests.system.kubectl import Kubectl, wait_for

pytestmark = pytest.mark.usefixtures("no_pods")


def suspend(namespace: Kubectl, name: str, *, on: bool) -> None:
    patch = json.dumps({"spec": {"suspend": on}})
    namespace("patch", "rtr", name, "--type=merge", "--patch", patch)


def forge(namespace: Kubectl, settings: Settings, name: str, **owner: Any) -> dict[str, Any]:
    """Create the Job that a request will get, with another program, and end it.

    Args:
        namespace: The namespace of the request.
        settings: The operator's settings, which a neighbour can read from earlier Jobs.
        name: The request.
        **owner: Changed fields of the owner reference.

    Returns:
        The Job.
    """
    request = read_request(namespace.get("retrainrequest", name))
    manifest = build_job(request, settings)
    manifest["metadata"]["ownerReferences"][0] |= owner
    namespace.apply(manifest)
    job = manifest["metadata"]["name"]
    wait_for("its start", lambda: namespace.get("job", job).get("status", {}).get("startTime"))
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    done = [
        {"type": kind, "status": "True", "lastTransitionTime": moment}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    ended = {"conditions": done, "completionTime": moment, "active": 0, "ready": 0, "succeeded": 1}
    patch_status(namespace, "job", job, ended)
    return namespace.get("job", job)


def status_of(namespace: Kubectl, name: str) -> dict[str, Any]:
    found: dict[str, Any] = namespace.get("retrainrequest", name).get("status", {})
    return found


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param({"apiVersion": "evil.example/v1"}, id="of another API group"),
        pytest.param({"controller": False}, id="not by a controller"),
        pytest.param({}, id="as the request itself would have"),
    ],
)
async def test_forged_job_beside_a_suspended_request_has_no_effect(
    namespace: Kubectl,
    cluster: KubeClient,
    parts: OperatorParts,
    settings: Settings,
    owner: dict[str, Any],
) -> None:
    apply(namespace, "a")
    suspend(namespace, "a", on=True)
    forged = forge(namespace, settings, "a", **owner)
    await settle(parts, cluster)
    assert condition(namespace, "a")[:2] == ("Unknown", "Suspended")
    assert "verdict" not in status_of(namespace, "a")
    assert events(namespace, "a").count("ForeignObject") == 1
    described = namespace("describe", "rtr", "a")
    assert forged["metadata"]["uid"] in described


async def test_squatter_of_the_name_ends_the_request_with_its_name_and_uid(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, settings: Settings
) -> None:
    apply(namespace, "a")
    suspend(namespace, "a", on=True)
    forged = forge(namespace, settings, "a")
    suspend(namespace, "a", on=False)
    await settle(parts, cluster)
    truth, why, message = condition(namespace, "a")
    assert (truth, why) == ("False", "JobNameTaken")
    assert forged["metadata"]["uid"] in message
    assert "verdict" not in status_of(namespace, "a")


async def test_job_that_replaces_a_deleted_one_is_not_believed(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, settings: Settings
) -> None:
    apply(namespace, "a")
    await settle(parts, cluster)
    assert reason(namespace, "a") == "JobCreated"
    namespace("delete", "jobs", "--all", "--wait=true")
    forge(namespace, settings, "a")
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    for _ in range(3):
        await reconcile(reconciler)
    assert condition(namespace, "a")[:2] == ("False", "JobDeleted")


async def test_queue_that_suspends_and_labels_a_job_changes_nothing(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    apply(namespace, "a")
    await settle(parts, cluster)
    [job] = namespace.items("jobs")
    change = {
        "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "q"}},
        "spec": {"suspend": True},
    }
    namespace(
        "patch", "job", job["metadata"]["name"], "--type=merge", "--patch", json.dumps(change)
    )
    await settle(parts, cluster)
    assert condition(namespace, "a")[1] == "JobSuspended"
    assert status_of(namespace, "a")["jobUid"] == job["metadata"]["uid"]
    assert "ForeignObject" not in events(namespace, "a")
