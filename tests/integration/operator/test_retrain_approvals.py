"""RetrainApprovals that are deleted, created again, or created by somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from retraining_operator.api.request import read_request
from retraining_operator.api.retrain_approval import build_retrain_approval
from retraining_operator.kube.client import KubeClient
from tests.integration.operator.approvals import (
    answer,
    await_approval,
    make_passes,
    promoted,
    request,
)
from tests.integration.operator.parts import OperatorParts
from tests.system.kubectl import Kubectl, wait_for


@pytest.mark.usefixtures("waiting")
async def test_retrain_approval_that_was_deleted_before_the_answer_is_applied_is_asked_again(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    answer(namespace, "Approve", "jane")
    namespace("delete", "rta", "--all", "--wait=true")
    await make_passes(OperatorParts(parts.settings), cluster)
    [approval] = namespace.items("retrainapprovals")
    assert "answer" not in approval["spec"]
    assert namespace.items("jobs") == []


@pytest.mark.usefixtures("no_pods", "waiting")
async def test_retrain_approval_that_is_deleted_while_its_job_runs_changes_nothing(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    answer(namespace, "Reject", "jane")
    await make_passes(parts, cluster)
    namespace("delete", "rta", "--all", "--wait=true")
    await make_passes(OperatorParts(parts.settings), cluster)
    assert namespace.items("retrainapprovals") == []
    assert len(namespace.items("jobs")) == 1
    assert namespace.get("retrainrequest", "waiting")["status"]["approval"] == "reject"


async def test_answer_for_a_request_that_was_created_again_is_not_applied(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, waiting: dict[str, Any]
) -> None:
    await make_passes(parts, cluster)
    [before] = namespace.items("retrainapprovals")
    answer(namespace, "Approve", "jane")
    namespace("delete", "rtr", "waiting", "--cascade=orphan", "--wait=true")
    body = await await_approval(namespace, cluster, request(namespace))
    assert body["metadata"]["uid"] != waiting["metadata"]["uid"]
    await make_passes(OperatorParts(parts.settings), cluster)
    names = {approval["metadata"]["name"] for approval in namespace.items("retrainapprovals")}
    assert names - {before["metadata"]["name"]}
    assert namespace.items("jobs") == []


@pytest.mark.usefixtures("waiting")
async def test_retrain_approval_of_a_person_is_marked_and_has_no_effect(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    [approval] = namespace.items("retrainapprovals")
    spec = approval["spec"] | {"answer": "Approve", "approver": "jane"}
    kinds = {"apiVersion": "retraining.dev/v1alpha1", "kind": "RetrainApproval"}
    namespace.apply({**kinds, "metadata": {"name": "mine"}, "spec": spec})
    absent = {**spec, "request": "nowhere", "challenger": "nobody"}
    namespace.apply({**kinds, "metadata": {"name": "for-nothing"}, "spec": absent})
    fresh = OperatorParts(parts.settings)
    await make_passes(fresh, cluster)
    for name in ("mine", "for-nothing"):
        [condition] = namespace.get("rta", name)["status"]["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "ApprovalIgnored")
    assert "ApprovalIgnored" in namespace("get", "rta")
    assert namespace.items("jobs") == []
    assert promoted(namespace) == ("Unknown", "AwaitingApproval")


async def test_object_that_a_person_has_created_before_has_no_effect(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, waiting: dict[str, Any]
) -> None:
    forged = build_retrain_approval(read_request(waiting), verifies_approver=True)
    forged["spec"] |= {"answer": "Approve", "approver": "jane"}
    namespace.apply(forged)
    await make_passes(parts, cluster)
    assert namespace.items("jobs") == []
    [condition] = namespace.get("rta", forged["metadata"]["name"])["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "ApprovalIgnored")
    namespace("delete", "rta", "--all", "--wait=true")
    await make_passes(OperatorParts(parts.settings), cluster)
    [approval] = namespace.items("retrainapprovals")
    assert "answer" not in approval["spec"]
    status = namespace.get("retrainrequest", "waiting")["status"]
    assert status["retrainApprovalUid"] == approval["metadata"]["uid"]


async def test_object_that_replaces_the_operator_s_has_no_effect(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, waiting: dict[str, Any]
) -> None:
    await make_passes(parts, cluster)
    [own] = namespace.items("retrainapprovals")
    namespace("delete", "rta", "--all", "--wait=true")
    forged = build_retrain_approval(read_request(waiting), verifies_approver=True)
    forged["metadata"]["annotations"] = own["metadata"]["annotations"]
    forged["spec"] |= {"answer": "Approve", "approver": "jane"}
    namespace.apply(forged)
    await make_passes(OperatorParts(parts.settings), cluster)
    assert namespace.items("jobs") == []
    assert promoted(namespace) == ("Unknown", "AwaitingApproval")


@pytest.mark.usefixtures("waiting")
async def test_retrain_approval_is_deleted_with_its_request(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    await make_passes(parts, cluster)
    assert len(namespace.items("retrainapprovals")) == 1
    namespace("delete", "rtr", "waiting")
    wait_for("the end of its approval", lambda: not namespace.items("retrainapprovals"))
