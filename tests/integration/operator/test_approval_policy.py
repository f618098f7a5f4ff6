"""Whether the policy is in force decides whether an author is verified."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from retraining_operator.kube.client import KubeClient
from tests.integration.operator.approval_rights import (
    connect_as_operator,
    installed_rights,
    is_policy_in_force,
)
from tests.integration.operator.approvals import (
    KINDS,
    answer,
    ask,
    await_approval,
    make_passes,
    request,
    status_of,
)
from tests.integration.operator.parts import OperatorParts
from tests.system import release
from tests.system.kubectl import Kubectl, wait_for

pytestmark = pytest.mark.usefixtures("no_pods")


async def test_operator_sees_by_its_own_rights_whether_the_policy_is_in_force(
    namespace: Kubectl, tmp_path: Path
) -> None:
    with installed_rights(namespace):
        async with connect_as_operator(namespace, tmp_path) as cluster:
            assert await is_policy_in_force(cluster)
    async with connect_as_operator(namespace, tmp_path) as cluster:
        await wait_for_the_end_of_the_policy(cluster)


async def wait_for_the_end_of_the_policy(cluster: KubeClient) -> None:
    """Wait until the API server no longer applies a policy that was deleted or relaxed."""
    async with asyncio.timeout(30):
        while await is_policy_in_force(cluster):  # noqa: ASYNC110
            await asyncio.sleep(0.25)


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"validationActions": ["Warn"]}},
        {"spec": {"matchResources": {"namespaceSelector": {"matchLabels": {"no": "such"}}}}},
        {"spec": {"policyName": "another"}},
    ],
)
async def test_relaxed_policy_is_not_in_force(
    rights: Kubectl, operator_login: KubeClient, change: dict[str, Any]
) -> None:
    name = f"{release.DEPLOYMENT}.{rights.namespace}.approvals"
    binding = ("patch", "validatingadmissionpolicybinding", name, "--type=merge")
    rights(*binding, "--patch", json.dumps(change))
    await wait_for_the_end_of_the_policy(operator_login)


async def test_author_is_unverified_if_the_policy_was_removed_before_the_answer_is_applied(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts)
    name = f"{release.DEPLOYMENT}.{rights.namespace}.approvals"
    rights("delete", "validatingadmissionpolicybinding", name)
    wait_for("the end of the policy", lambda: answer(rights, "Approve", "ann", user="joe"), 30)
    await make_passes(parts, operator_login)
    status = status_of(rights)
    assert (status["approvalBy"], status["approvalVerified"]) == ("ann (unverified)", False)


async def test_author_is_unverified_if_the_policy_came_after_the_object(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, tmp_path: Path
) -> None:
    request(namespace)
    await await_approval(namespace, cluster, "waiting")
    await make_passes(parts, cluster)  # without a policy
    answer(namespace, "Approve", "somebody")
    with installed_rights(namespace):
        async with connect_as_operator(namespace, tmp_path) as operator:
            await make_passes(parts, operator)
    assert status_of(namespace)["approvalBy"] == "somebody (unverified)"


async def test_policy_of_one_namespace_does_not_act_in_another(
    rights: Kubectl, kubectl: Kubectl
) -> None:
    other = kubectl.inside(f"{rights.namespace}-other")
    other("create", "namespace", other.namespace)
    try:
        assert request(other, requestedBy="anybody") == "waiting"
        body = {**KINDS, "kind": "RetrainApproval", "metadata": {"name": "any"}}
        spec = {"request": "any", "challenger": "any", "answer": "Approve", "approver": "any"}
        other.apply({**body, "spec": spec})
    finally:
        other("delete", "namespace", other.namespace, "--wait=false")
