"""Users with exactly the chart's Roles answer in their own name, and do nothing else."""

from __future__ import annotations

import json

import pytest

from retraining_operator.kube.client import KubeClient
from tests.integration.operator.approvals import (
    KINDS,
    answer,
    as_user,
    ask,
    await_approval,
    find_approval,
    make_passes,
    promoted,
    request,
    status_of,
)
from tests.integration.operator.parts import OperatorParts
from tests.system import release
from tests.system.kubectl import CommandError, Kubectl

pytestmark = pytest.mark.usefixtures("no_pods")
FORBIDDEN = "forbidden|Forbidden"
REFUSED = "ValidatingAdmissionPolicy"


# What each Role may do

ALLOWED = {
    "vera": set[tuple[str, str]](),
    "jane": {("create", "retrainrequests"), ("patch", "retrainrequests")},
    "joe": {("patch", "retrainapprovals")},
}


CHANGES = ("create", "update", "patch", "delete", "deletecollection")


RESOURCES = (
    "retrainrequests",
    "retrainapprovals",
    "retrainrequests/status",
    "retrainapprovals/status",
)


@pytest.mark.parametrize("user", ALLOWED)
def test_role_allows_these_changes_and_no_others(rights: Kubectl, user: str) -> None:
    def can(verb: str, resource: str) -> bool:
        plural, _, subresource = resource.partition("/")
        options = [f"--subresource={subresource}"] if subresource else []
        try:
            answered = as_user(
                rights, user, "auth", "can-i", verb, f"{plural}.retraining.dev", *options
            )
        except CommandError:  # it exits with 1 for "no"
            return False
        return answered.strip() == "yes"

    found = {(verb, resource) for verb in CHANGES for resource in RESOURCES if can(verb, resource)}
    assert found == ALLOWED[user]
    for verb in ("get", "list", "watch"):
        for resource in ("retrainrequests", "retrainapprovals"):
            assert can(verb, resource)
    for other in ("pods", "secrets", "jobs.batch"):
        with pytest.raises(CommandError):
            as_user(rights, user, "auth", "can-i", "create", other)


async def test_requester_cannot_approve_in_any_name(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts)
    for approver in ("jane", "joe"):
        with pytest.raises(CommandError, match=FORBIDDEN):
            answer(rights, "Approve", approver, user="jane")
    await make_passes(parts, operator_login)
    assert promoted(rights) == ("Unknown", "AwaitingApproval")
    assert rights.items("jobs") == []


async def test_requester_cannot_forge_a_status(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts)
    forged = {"status": {"approval": "approve", "approvalBy": "joe", "approvalVerified": True}}
    change = ("--type=merge", "--patch", json.dumps(forged))
    with pytest.raises(CommandError, match=FORBIDDEN):
        as_user(rights, "jane", "patch", "rtr", "waiting", "--subresource=status", *change)
    as_user(rights, "jane", "patch", "rtr", "waiting", *change)  # it is no part of the object
    assert "approvalBy" not in status_of(rights)


def test_status_in_a_new_request_is_dropped(rights: Kubectl) -> None:
    body = {**KINDS, "kind": "RetrainRequest", "metadata": {"name": "waiting"}, "spec": {}}
    status = {"withheld": "AwaitingApproval", "approvalVerified": True}
    as_user(rights, "jane", "create", "-f", "-", stdin=json.dumps({**body, "status": status}))
    assert "status" not in rights.get("rtr", "waiting")


async def test_annotation_of_earlier_versions_approves_nothing(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    metadata = {
        "name": "waiting",
        "annotations": {"retraining.dev/approval": "approve by joe"},
    }
    await await_approval(rights, operator_login, request(rights, "jane", metadata))
    await make_passes(parts, operator_login)
    assert promoted(rights) == ("Unknown", "AwaitingApproval")
    assert rights.items("jobs") == []


# In one's own name


@pytest.mark.parametrize("word", ["Approve", "Reject"])
async def test_approver_answers_in_their_own_name_and_is_verified(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts, word: str
) -> None:
    approval = await ask(rights, operator_login, parts)
    assert approval["spec"]["verifiesApprover"] is True
    assert "unverified" not in rights("describe", "rtr", "waiting")
    with pytest.raises(CommandError, match="must be the user name of the person who answers"):
        answer(rights, word, "ann", user="joe")
    answer(rights, word, "joe", user="joe", comment="better on cards")
    await make_passes(parts, operator_login)
    status = status_of(rights)
    assert (status["approval"], status["approvalBy"]) == (word.lower(), "joe")
    assert (status["approvalVerified"], status["approvalComment"]) == (True, "better on cards")


@pytest.mark.parametrize("name", ["Joe", "JOE", "joe ", " joe", "joe\n", "j\u043ee", "", "joe,ann"])
async def test_name_is_compared_character_by_character(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts, name: str
) -> None:
    """One of the names has a Cyrillic letter."""
    await ask(rights, operator_login, parts)
    with pytest.raises(CommandError):
        answer(rights, "Approve", name, user="joe")
    assert "answer" not in find_approval(rights)["spec"]


async def test_service_account_answers_under_its_full_name(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts)
    rights("create", "serviceaccount", "bot")
    bound = (f"--role={release.DEPLOYMENT}-approver", f"--serviceaccount={rights.namespace}:bot")
    rights("create", "rolebinding", "bot", *bound)
    user = f"system:serviceaccount:{rights.namespace}:bot"
    with pytest.raises(CommandError, match=REFUSED):
        answer(rights, "Approve", "bot", user=user)
    answer(rights, "Approve", user, user=user)
    await make_passes(parts, operator_login)
    assert status_of(rights)["approvalBy"] == user


async def test_administrator_of_the_cluster_answers_in_their_own_name_only(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts)
    with pytest.raises(CommandError, match=REFUSED):
        answer(rights, "Approve", "joe")


async def test_answer_without_a_name_or_a_name_without_an_answer_is_refused(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    name = (await ask(rights, operator_login, parts))["metadata"]["name"]
    for spec in ({"answer": "Approve"}, {"approver": "joe"}, {"comment": "x"}):
        change = json.dumps({"spec": spec})
        with pytest.raises(CommandError):
            as_user(rights, "joe", "patch", "rta", name, "--type=merge", "--patch", change)
