"""Who has requested a run, and four eyes, under the chart's policies."""

from __future__ import annotations

import json

import pytest

from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from tests.integration.operator.approvals import (
    BOTH,
    answer,
    as_user,
    ask,
    four_eyed,
    make_passes,
    request,
    status_of,
)
from tests.integration.operator.parts import OperatorParts
from tests.system import release
from tests.system.kubectl import CommandError, Kubectl

pytestmark = pytest.mark.usefixtures("no_pods")


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
