"""An approval becomes one Job, also if several operators see it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining_operator.api.approval import Approval
from retraining_operator.api.approval_status import build_launching_approval_status
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.ownership import (
    add_launch_token,
    compute_launch_digest,
    create_launch_token,
)
from retraining_operator.api.request import read_request
from retraining_operator.contract import ApprovalAnswer, Result
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.resources import JOBS
from retraining_operator.settings import Settings
from tests.integration.operator.conftest import reconcile
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate
from tests.system.kubectl import Kubectl, wait_for

ANNOTATION = "retraining.dev/approval"
DECIDES = "retraining.dev/task=decide"


def result(**fields: Any) -> Result:
    now = datetime.now(UTC)
    document = {
        "run_id": "r",
        "reason": "x",
        "message": "Said why.",
        "started_at": now,
        "finished_at": now,
    }
    return Result(**{**document, "verdict": "Promoted", **fields})


def annotate(namespace: Kubectl, text: str) -> None:
    namespace("annotate", "--overwrite", "rtr", "waiting", f"{ANNOTATION}={text}")


def promoted(namespace: Kubectl) -> tuple[str, str]:
    conditions = namespace.get("retrainrequest", "waiting")["status"]["conditions"]
    return next((c["status"], c["reason"]) for c in conditions if c["type"] == "Promoted")


async def make_passes(parts: OperatorParts, cluster: KubeClient, passes: int = 3) -> None:
    """Make a few passes, as an operator that has just started would."""
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    for _ in range(passes):
        await reconcile(reconciler)


@pytest.fixture
async def waiting(namespace: Kubectl, cluster: KubeClient) -> dict[str, Any]:
    """Create a request whose challenger waits for approval."""
    manifest = {
        "apiVersion": "retraining.dev/v1alpha1",
        "kind": "RetrainRequest",
        "metadata": {"name": "waiting"},
    }
    namespace.apply({**manifest, "spec": {"promotion": "Manual", "preset": "recommended"}})
    [body] = namespace.items("retrainrequests")
    request, verdict = read_request(body), result(withheld="AwaitingApproval")
    status = build_finished_status(
        request, JobOutcome("Promoted", "Said why.", verdict), datetime.now(UTC)
    )
    return await cluster.patch_status("waiting", request.resource_version, status)


def end(namespace: Kubectl, **fields: Any) -> None:
    """End the Job of an approval as its trainer would. None of its pods runs here."""
    [job] = namespace.items("jobs", DECIDES)
    name, now = job["metadata"]["name"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    wait_for("its start", lambda: namespace.get("job", name).get("status", {}).get("startTime"))
    done = [
        {"type": kind, "status": "True", "lastTransitionTime": now}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    patch_status(
        namespace,
        "job",
        name,
        {"conditions": done, "completionTime": now, "active": 0, "ready": 0, "succeeded": 1},
    )
    uid = job["metadata"]["ownerReferences"][0]["uid"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name,
        "uid": job["metadata"]["uid"],
        "controller": True,
    }
    template = job["spec"]["template"]
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "ended", "ownerReferences": [owner]},
    }
    pod["metadata"] |= {"labels": template["metadata"]["labels"]}
    namespace.apply(
        {**pod, "spec": {**template["spec"], "schedulingGates": [{"name": "test.dev/never"}]}}
    )
    ended = {
        "exitCode": 0,
        "message": result(**fields, run_id=uid).document(),
        "finishedAt": now,
        "startedAt": now,
    }
    container = {"name": "trainer", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    status = {
        "phase": "Succeeded",
        "containerStatuses": [{**container, "state": {"terminated": ended}}],
    }
    patch_status(namespace, "pod", "ended", status)


def patch_status(namespace: Kubectl, kind: str, name: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    namespace("patch", kind, name, "--subresource=status", "--type=merge", "--patch", patch)


@pytest.mark.usefixtures("no_pods")
async def test_annotation_becomes_one_job_whoever_sees_it(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, waiting: dict[str, Any]
) -> None:
    annotate(namespace, "approve by Jane Doe")
    await asyncio.gather(*(make_passes(OperatorParts(settings), cluster) for _ in range(3)))
    [job] = namespace.items("jobs")
    assert job["metadata"]["ownerReferences"][0]["uid"] == waiting["metadata"]["uid"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert container["args"] == ["decide"]
    assert (environment["RETRAIN_APPROVAL"], environment["RETRAIN_APPROVAL_BY"]) == (
        "approve",
        "Jane Doe",
    )
    status = namespace.get("retrainrequest", "waiting")["status"]
    assert (status["approval"], status["approvalBy"]) == ("approve", "Jane Doe")
    assert promoted(namespace) == ("Unknown", "ApplyingApproval")


@pytest.mark.usefixtures("waiting")
async def test_without_an_approval_no_job_is_created(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    annotate(namespace, "perhaps")
    await make_passes(parts, cluster)
    assert namespace.items("jobs") == []
    assert promoted(namespace) == ("Unknown", "AwaitingApproval")
    assert "approve or reject" in namespace("describe", "rtr", "waiting")


async def test_job_that_was_created_before_a_crash_keeps_its_approval(
    namespace: Kubectl,
    cluster: KubeClient,
    parts: OperatorParts,
    settings: Settings,
    waiting: dict[str, Any],
) -> None:
    approval = Approval(ApprovalAnswer.APPROVE, "Jane Doe")
    manifest = build_job(read_request(waiting), settings, approval)
    job, token = manifest["metadata"]["name"], create_launch_token()
    announced = build_launching_approval_status(
        read_request(waiting), approval, job, datetime.now(UTC), compute_launch_digest(job, token)
    )
    version = int(waiting["metadata"]["resourceVersion"])
    await cluster.patch_status("waiting", version, announced)
    annotate(namespace, "reject by Joe")
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    # as if the answer had been lost, and the annotation changed since
    await cluster.create(JOBS, add_launch_token(manifest, token))
    for _ in range(3):
        await reconcile(reconciler)
    assert len(namespace.items("jobs")) == 1
    assert namespace.get("retrainrequest", "waiting")["status"]["approvalBy"] == "Jane Doe"


async def test_foreign_job_of_that_name_applies_nothing(
    namespace: Kubectl,
    cluster: KubeClient,
    parts: OperatorParts,
    settings: Settings,
    waiting: dict[str, Any],
) -> None:
    manifest = build_job(read_request(waiting), settings, Approval(ApprovalAnswer.APPROVE))
    del manifest["metadata"]["ownerReferences"]
    await cluster.create(JOBS, manifest)
    annotate(namespace, "approve")
    await make_passes(parts, cluster)
    assert promoted(namespace) == ("False", "JobNameTaken")


@pytest.mark.usefixtures("waiting")
async def test_approval_is_in_the_status_and_a_later_one_is_reported_once(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    annotate(namespace, "approve by Jane Doe")
    await make_passes(parts, cluster)
    end(namespace, promoted=True, version=3)
    await make_passes(parts, cluster)
    status = namespace.get("retrainrequest", "waiting")["status"]
    assert promoted(namespace) == ("True", "Promoted")
    assert status["version"] == 3
    assert "withheld" not in status
    [job] = namespace.items("jobs")
    assert job["spec"]["ttlSecondsAfterFinished"]
    annotate(namespace, "reject by Joe")
    await make_passes(parts, cluster)
    await make_passes(parts, cluster)
    events = [event["reason"] for event in namespace.items("events.events.k8s.io")]
    assert events.count("ApprovalIgnored") == 1
    assert promoted(namespace) == ("True", "Promoted")
    assert len(namespace.items("jobs")) == 1


@pytest.mark.usefixtures("waiting")
async def test_job_that_was_deleted_is_not_created_again(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    annotate(namespace, "approve")
    await make_passes(parts, cluster)
    namespace("delete", "jobs", "--all", "--wait=true")
    wait_for("the end of its pods", lambda: not namespace.items("pods"))
    await make_passes(OperatorParts(parts.settings), cluster)
    assert namespace.items("jobs") == []
    assert promoted(namespace) == ("Unknown", "JobDeleted")
