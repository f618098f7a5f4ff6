"""Users with exactly the chart's Roles, and the chart's policies, on a real API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Approvals, Settings
from tests.integration.operator.approvals import (
    BOTH,
    KINDS,
    OWNER,
    answer,
    as_user,
    await_approval,
    connect_as_operator,
    find_approval,
    installed_rights,
    is_policy_in_force,
    make_passes,
    promoted,
    request,
)
from tests.integration.operator.parts import OperatorParts
from tests.system import release
from tests.system.kubectl import CommandError, Kubectl, wait_for

pytestmark = pytest.mark.usefixtures("no_pods")

FORBIDDEN = "forbidden|Forbidden"
REFUSED = "ValidatingAdmissionPolicy"


@pytest.fixture
def rights(namespace: Kubectl) -> Iterator[Kubectl]:
    """Install Roles and policies without four eyes."""
    with installed_rights(namespace):
        yield namespace


@pytest.fixture
def strict(namespace: Kubectl) -> Iterator[Kubectl]:
    """Install Roles and policies with four eyes."""
    with installed_rights(namespace, "--set=approvals.fourEyes=true"):
        yield namespace


@pytest.fixture
async def operator_login(namespace: Kubectl, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """Connect as the operator. Depend on `rights` or `strict` before it."""
    async with connect_as_operator(namespace, tmp_path) as connected:
        yield connected


async def ask(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, user: str = "jane", **spec: Any
) -> dict[str, Any]:
    """Create a request as a user, let its challenger wait, and return its RetrainApproval."""
    name = request(namespace, user, **spec)
    await await_approval(namespace, cluster, name)
    await make_passes(parts, cluster)
    return find_approval(namespace, name)


def four_eyed(settings: Settings) -> OperatorParts:
    return OperatorParts(settings.model_copy(update={"approvals": Approvals(four_eyes=True)}))


def status_of(namespace: Kubectl) -> dict[str, Any]:
    status: dict[str, Any] = namespace.get("rtr", "waiting")["status"]
    return status


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


# Before, instead of and after a challenger that waits


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


# Who has requested


@pytest.mark.parametrize("named", ["joe", "Jane", "system:admin", "jane "])
def test_requester_cannot_be_forged(rights: Kubectl, named: str) -> None:
    with pytest.raises(CommandError, match="requestedBy"):
        request(rights, "jane", requestedBy=named)
    assert rights.items("retrainrequests") == []


def test_requester_cannot_be_changed_later(rights: Kubectl) -> None:
    request(rights, "jane", requestedBy="jane")
    for value in ("joe", None):
        change = json.dumps({"spec": {"requestedBy": value}})
        with pytest.raises(CommandError):
            as_user(rights, "jane", "patch", "rtr", "waiting", "--type=merge", "--patch", change)


def test_requester_who_is_missing_cannot_be_added_later(rights: Kubectl) -> None:
    request(rights, "jane")
    change = json.dumps({"spec": {"requestedBy": "jane"}})
    with pytest.raises(CommandError):
        as_user(rights, "jane", "patch", "rtr", "waiting", "--type=merge", "--patch", change)


def test_four_eyes_need_a_requester_of_everybody_but_the_operator(strict: Kubectl) -> None:
    with pytest.raises(CommandError, match=r"requestedBy is missing.*jane"):
        request(strict, "jane")
    account = f"system:serviceaccount:{strict.namespace}:{release.DEPLOYMENT}"
    assert request(strict, account) == "waiting"


async def test_own_request_is_not_approved_with_four_eyes(
    strict: Kubectl, operator_login: KubeClient, settings: Settings
) -> None:
    parts = four_eyed(settings)
    approval = await ask(strict, operator_login, parts, BOTH, requestedBy=BOTH)
    assert approval["spec"]["requestedBy"] == BOTH
    with pytest.raises(CommandError, match="another person"):
        answer(strict, "Approve", BOTH, user=BOTH)
    answer(strict, "Approve", "joe", user="joe")
    await make_passes(parts, operator_login)
    assert status_of(strict)["approvalBy"] == "joe"


async def test_own_request_may_be_rejected_with_four_eyes(
    strict: Kubectl, operator_login: KubeClient, settings: Settings
) -> None:
    parts = four_eyed(settings)
    await ask(strict, operator_login, parts, BOTH, requestedBy=BOTH)
    answer(strict, "Reject", BOTH, user=BOTH)
    await make_passes(parts, operator_login)
    assert status_of(strict)["approval"] == "reject"


async def test_own_request_is_approved_without_four_eyes(
    rights: Kubectl, operator_login: KubeClient, parts: OperatorParts
) -> None:
    await ask(rights, operator_login, parts, BOTH, requestedBy=BOTH)
    answer(rights, "Approve", BOTH, user=BOTH)
    await make_passes(parts, operator_login)
    assert status_of(rights)["approvalBy"] == BOTH


# Whether the policy is in force


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
