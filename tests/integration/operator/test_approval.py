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
from retraining_operator.api.ownership import (
    add_launch_token,
    compute_launch_digest,
    create_launch_token,
)
from retraining_operator.api.request import read_request
from retraining_operator.contract import ApprovalAnswer
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.resources import JOBS
from retraining_operator.settings import Approvals, Settings
from tests.integration.operator.approvals import answer, make_passes, promoted, result
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate, reconcile
from tests.system.kubectl import CommandError, Kubectl, wait_for

DECIDES = "retraining.dev/task=decide"


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
async def test_answer_becomes_one_job_whoever_sees_it(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, waiting: dict[str, Any]
) -> None:
    await asyncio.gather(*(make_passes(OperatorParts(settings), cluster) for _ in range(3)))
    [approval] = namespace.items("retrainapprovals")
    assert approval["metadata"]["ownerReferences"][0]["uid"] == waiting["metadata"]["uid"]
    assert "answer" not in approval["spec"]
    answer(namespace, "Approve", "jane")
    await asyncio.gather(*(make_passes(OperatorParts(settings), cluster) for _ in range(3)))
    [job] = namespace.items("jobs")
    assert job["metadata"]["ownerReferences"][0]["uid"] == waiting["metadata"]["uid"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert container["args"] == ["decide"]
    assert (environment["RETRAIN_APPROVAL"], environment["RETRAIN_APPROVAL_BY"]) == (
        "approve",
        "jane (unverified)",
    )
    status = namespace.get("retrainrequest", "waiting")["status"]
    assert (status["approval"], status["approvalBy"]) == ("approve", "jane (unverified)")
    assert status["approvalVerified"] is False
    assert promoted(namespace) == ("Unknown", "ApplyingApproval")


@pytest.mark.usefixtures("waiting")
async def test_without_an_answer_no_job_is_created_and_describe_shows_what_to_do(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    assert namespace.items("jobs") == []
    assert promoted(namespace) == ("Unknown", "AwaitingApproval")
    described = namespace("describe", "rtr", "waiting")
    [approval] = namespace.items("retrainapprovals")
    assert f"patch rta {approval['metadata']['name']}" in described
    assert "recorded as unverified" in described


@pytest.mark.usefixtures("no_pods", "waiting")
async def test_first_answer_counts_and_cannot_be_changed(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    answer(namespace, "Approve", "jane")
    for word, approver in (("Reject", "joe"), ("Reject", "jane"), ("Approve", "joe")):
        with pytest.raises(CommandError, match="the first answer counts"):
            answer(namespace, word, approver)
    await make_passes(parts, cluster)
    assert namespace.get("retrainrequest", "waiting")["status"]["approval"] == "approve"


@pytest.mark.usefixtures("waiting")
async def test_four_eyes_apply_no_unverified_approval(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    parts = OperatorParts(settings.model_copy(update={"approvals": Approvals(four_eyes=True)}))
    await make_passes(parts, cluster)
    answer(namespace, "Approve", "joe")
    await make_passes(parts, cluster)
    assert promoted(namespace) == ("Unknown", "ApprovalIgnored")
    assert "kubectl delete rta" in namespace("describe", "rtr", "waiting")
    assert namespace.items("jobs") == []


@pytest.mark.usefixtures("waiting")
async def test_job_that_was_created_before_a_crash_keeps_its_approval(
    namespace: Kubectl,
    cluster: KubeClient,
    parts: OperatorParts,
    settings: Settings,
) -> None:
    await make_passes(parts, cluster)
    waiting = namespace.get("retrainrequest", "waiting")
    approval = Approval(ApprovalAnswer.APPROVE, "jane", is_verified=True)
    manifest = build_job(read_request(waiting), settings, approval)
    job, token = manifest["metadata"]["name"], create_launch_token()
    announced = build_launching_approval_status(
        read_request(waiting), approval, job, datetime.now(UTC), compute_launch_digest(job, token)
    )
    version = int(waiting["metadata"]["resourceVersion"])
    await cluster.patch_status("waiting", version, announced)
    answer(namespace, "Reject", "joe")
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    # as if the answer of the API server had been lost
    await cluster.create(JOBS, add_launch_token(manifest, token))
    for _ in range(3):
        await reconcile(reconciler)
    assert len(namespace.items("jobs")) == 1
    assert namespace.get("retrainrequest", "waiting")["status"]["approvalBy"] == "jane"


async def test_foreign_job_of_that_name_applies_nothing(
    namespace: Kubectl,
    cluster: KubeClient,
    parts: OperatorParts,
    settings: Settings,
    waiting: dict[str, Any],
) -> None:
    approval = Approval(ApprovalAnswer.APPROVE, "jane")
    manifest = build_job(read_request(waiting), settings, approval)
    del manifest["metadata"]["ownerReferences"]
    await cluster.create(JOBS, manifest)
    await make_passes(parts, cluster)
    answer(namespace, "Approve", "jane")
    await make_passes(parts, cluster)
    assert promoted(namespace) == ("False", "JobNameTaken")


@pytest.mark.usefixtures("waiting")
async def test_approval_is_in_the_status_and_the_request_takes_no_other(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    answer(namespace, "Approve", "jane")
    await make_passes(parts, cluster)
    end(namespace, promoted=True, version=3)
    await make_passes(parts, cluster)
    status = namespace.get("retrainrequest", "waiting")["status"]
    assert promoted(namespace) == ("True", "Promoted")
    assert status["version"] == 3
    assert "withheld" not in status
    [job] = namespace.items("jobs")
    assert job["spec"]["ttlSecondsAfterFinished"]
    namespace("delete", "rta", "--all", "--wait=true")
    await make_passes(OperatorParts(parts.settings), cluster)
    assert namespace.items("retrainapprovals") == []
    assert len(namespace.items("jobs")) == 1


@pytest.mark.usefixtures("waiting")
async def test_job_that_was_deleted_is_not_created_again(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    answer(namespace, "Approve", "jane")
    await make_passes(parts, cluster)
    namespace("delete", "jobs", "--all", "--wait=true")
    wait_for("the end of its pods", lambda: not namespace.items("pods"))
    await make_passes(OperatorParts(parts.settings), cluster)
    assert namespace.items("jobs") == []
    assert promoted(namespace) == ("Unknown", "JobDeleted")
