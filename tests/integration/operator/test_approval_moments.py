"""Answers before, instead of and after a challenger that waits, by users with the chart's Roles."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from retraining_operator.kube.client import KubeClient
from tests.integration.operator.approvals import (
    KINDS,
    OWNER,
    answer,
    as_user,
    ask,
    await_approval,
    find_approval,
    make_passes,
    request,
    status_of,
)
from tests.integration.operator.parts import OperatorParts
from tests.system.kubectl import CommandError, Kubectl, wait_for

pytestmark = pytest.mark.usefixtures("no_pods")
FORBIDDEN = "forbidden|Forbidden"


def test_approval_before_a_challenger_waits_is_refused(rights: Kubectl) -> None:
    request(rights, "jane")
    uid = rights.get("rtr", "waiting")["metadata"]["uid"]
    spec = {"request": "waiting", "challenger": uid, "answer": "Approve"}
    body = {**KINDS, "kind": "RetrainApproval", "metadata": {"generateName": "mine-"}}
    for user in ("joe", OWNER):
        text = json.dumps({**body, "spec": {**spec, "approver": user}})
        for command in (("create",), ("create", "--dry-run=server")):
            with pytest.raises(CommandError, match=r"forbidden|Only the operator"):
                as_user(rights, user, *command, "--filename", "-", stdin=text)
    assert rights.items("retrainapprovals") == []


async def test_approver_cannot_create_one_by_server_side_apply(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    approval = await ask(rights, operator_login, parts)
    spec = {**approval["spec"], "answer": "Approve", "approver": "joe"}
    body = {**KINDS, "kind": "RetrainApproval", "spec": spec}
    command = ("apply", "--server-side", "--field-manager=joe", "--filename", "-")
    absent = json.dumps({**body, "metadata": {"name": "absent"}})
    with pytest.raises(CommandError, match=FORBIDDEN):
        as_user(rights, "joe", *command, stdin=absent)
    present = json.dumps({**body, "metadata": {"name": approval["metadata"]["name"]}})
    as_user(rights, "joe", *command, stdin=present)
    assert find_approval(rights)["spec"]["answer"] == "Approve"


async def test_owner_of_the_namespace_cannot_replace_the_object_by_an_answered_one(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    approval = await ask(rights, operator_login, parts)
    metadata = approval["metadata"]
    as_user(rights, OWNER, "delete", "rta", metadata["name"], "--wait=true")
    kept = {key: metadata[key] for key in ("name", "ownerReferences", "labels")}
    forged = {**approval["spec"], "answer": "Approve", "approver": OWNER}
    body = {**KINDS, "kind": "RetrainApproval", "metadata": kept}
    for spec in (forged, approval["spec"]):
        text = json.dumps({**body, "spec": spec})
        with pytest.raises(CommandError, match="Only the operator creates"):
            as_user(rights, OWNER, "create", "--filename", "-", stdin=text)


async def test_what_the_operator_has_set_cannot_be_changed(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    approval = await ask(rights, operator_login, parts, requestedBy="jane")
    name = approval["metadata"]["name"]
    fields: dict[str, Any] = {
        "request": "other",
        "challenger": "other",
        "requestedBy": "other",
        "verifiesApprover": False,
    }
    changes: list[dict[str, Any]] = [{"spec": {key: value}} for key, value in fields.items()]
    changes += [{"spec": {key: None}} for key in fields]
    changes += [{"metadata": {"ownerReferences": []}}, {"metadata": {"ownerReferences": None}}]
    for change in changes:
        command = ("patch", "rta", name, "--type=merge", "--patch", json.dumps(change))
        with pytest.raises(CommandError):
            as_user(rights, "joe", *command)
    assert find_approval(rights)["spec"] == approval["spec"]


async def test_answer_to_a_finished_request_is_refused(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts)
    answer(rights, "Reject", "joe", user="joe")
    await make_passes(parts, operator_login)
    for user, word in (("joe", "Approve"), ("ann", "Approve"), ("ann", "Reject")):
        with pytest.raises(CommandError, match="the first answer counts"):
            answer(rights, word, user, user=user)
    assert status_of(rights)["approval"] == "reject"


async def test_one_of_two_answers_at_once_counts(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts)

    def try_to(user: str, word: str) -> bool:
        try:
            answer(rights, word, user, user=user)
        except CommandError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        accepted = list(pool.map(try_to, ("joe", "ann"), ("Approve", "Reject")))
    assert sorted(accepted) == [False, True]
    stored = find_approval(rights)["spec"]
    assert (stored["approver"], stored["answer"]) == (
        ("joe", "Approve") if accepted[0] else ("ann", "Reject")
    )
    await make_passes(parts, operator_login)
    assert status_of(rights)["approvalBy"] == stored["approver"]
    assert len(rights.items("jobs")) == 1


async def test_answer_does_not_reach_a_request_that_was_created_again(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    seen = await ask(rights, operator_login, parts)
    rights("delete", "rtr", "waiting", "--wait=true")
    wait_for("the end of its approval", lambda: not rights.items("retrainapprovals"))
    again = await ask(rights, operator_login, OperatorParts(parts.settings))
    assert again["metadata"]["name"] != seen["metadata"]["name"]
    change = json.dumps({"spec": {"answer": "Approve", "approver": "joe"}})
    name = seen["metadata"]["name"]
    with pytest.raises(CommandError, match="NotFound"):
        as_user(rights, "joe", "patch", "rta", name, "--type=merge", "--patch", change)
    assert "answer" not in find_approval(rights)["spec"]


async def test_generated_and_long_names_get_a_retrain_approval(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    names = [
        request(rights, "jane", {"generateName": "generated-"}),
        request(rights, "jane", {"name": "x" * 63}),
        request(rights, "jane", {"name": "with.dots.in-it"}),
    ]
    for name in names:
        await await_approval(rights, operator_login, name)
    await make_passes(parts, operator_login)
    found = {approval["spec"]["request"] for approval in rights.items("retrainapprovals")}
    assert found == set(names)
