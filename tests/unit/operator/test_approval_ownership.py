"""Only a RetrainApproval that the operator has created is believed, and only for its request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.api import names
from retraining_operator.api.names import Task, build_approval_name, build_job_name
from retraining_operator.api.retrain_approval import build_owner_reference
from retraining_operator.contract import Promotion
from retraining_operator.kube.resources import ResourceKind
from retraining_operator.settings import Requests, Settings
from tests.unit.operator.attempts import document
from tests.unit.operator.forged_jobs import await_approval, finish_job, put_request
from tests.unit.operator.memory_cluster import NOW, MemoryCluster, MemoryOperator

Build = Callable[..., dict[str, Any]]
UID = "uid-of-first"
NAME = build_approval_name("first", UID)
DECIDING = build_job_name("first", UID, Task.DECIDE)
RTA = names.APPROVAL_PLURAL
ANSWER = {"answer": "Approve", "approver": "eve"}


@pytest.fixture(params=[True, False], ids=["policy", "no policy"])
def cluster(request: pytest.FixtureRequest) -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.has_policy = request.param
    return cluster


@pytest.fixture
def operator(cluster: MemoryCluster, settings: Settings) -> MemoryOperator:
    return MemoryOperator(cluster, settings)


def forge(cluster: MemoryCluster, uid: str = UID, **metadata: Any) -> dict[str, Any]:
    """Create the very object that the operator would create, with an answer."""
    return cluster.put(
        RTA,
        {
            "metadata": {
                "name": build_approval_name("first", uid),
                "uid": "forged",
                "ownerReferences": [build_owner_reference("first", uid)],
                **metadata,
            },
            "spec": {"request": "first", "challenger": uid, "verifiesApprover": True, **ANSWER},
        },
    )


def delete(cluster: MemoryCluster, operator: MemoryOperator, name: str = NAME) -> None:
    operator.cache.approvals.remove(cluster.objects.pop((RTA, name)))


def assert_not_applied(operator: MemoryOperator) -> None:
    assert DECIDING not in operator.jobs()
    assert "approval" not in operator.status()
    assert operator.condition("Promoted")[:2] == ("Unknown", "AwaitingApproval")


async def test_object_created_before_the_challenger_waits_has_no_effect(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    forge(cluster)
    await await_approval(cluster, operator, request_body)
    await operator.reconcile()
    assert_not_applied(operator)
    [found] = operator.approvals()
    assert found["status"]["conditions"][0]["reason"] == "ApprovalIgnored"
    assert operator.count_problems("foreign") == 1
    [note] = operator.event_notes("ForeignObject")
    assert f"kubectl delete rta {NAME}" in note


async def test_after_its_removal_the_right_one_is_created_and_its_answer_applied(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    forge(cluster)
    await await_approval(cluster, operator, request_body)
    del cluster.objects[RTA, NAME]
    restarted = MemoryOperator(cluster, settings)
    await restarted.reconcile()
    assert_not_applied(restarted)
    restarted.answer("Approve", "joe")
    await restarted.reconcile()
    assert DECIDING in restarted.jobs()
    verified = cluster.has_policy
    assert restarted.status()["approvalBy"] == ("joe" if verified else "joe (unverified)")
    assert restarted.status()["approvalVerified"] is verified


async def test_object_that_replaces_the_operators_has_no_effect(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    await await_approval(cluster, operator, request_body)
    [own] = operator.approvals()
    token = own["metadata"]["annotations"]
    delete(cluster, operator)
    forge(cluster, annotations=token)
    await operator.reconcile()
    assert_not_applied(operator)
    assert operator.count_problems("foreign") == 1


@pytest.mark.parametrize("number", [0, 1])
async def test_random_text_of_a_deleted_object_is_worth_nothing_for_a_later_one(
    cluster: MemoryCluster,
    operator: MemoryOperator,
    request_body: Build,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    await await_approval(cluster, operator, request_body)
    [first] = operator.approvals()
    delete(cluster, operator)
    await operator.reconcile()
    [second] = operator.approvals()
    assert second["metadata"]["uid"] == operator.status()["retrainApprovalUid"]
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    delete(cluster, operator)
    known = (first, second)[number]["metadata"]["annotations"]
    create = cluster.create

    async def create_after_somebody_else(kind: ResourceKind, *arguments: Any) -> dict[str, Any]:
        if kind.plural == RTA:
            forge(cluster, annotations=known)
        return await create(kind, *arguments)

    monkeypatch.setattr(cluster, "create", create_after_somebody_else)
    await operator.reconcile()
    assert_not_applied(operator)
    assert operator.count_problems("foreign") == 1


async def test_crash_after_the_creation_costs_nothing(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    await await_approval(cluster, operator, request_body)
    [own] = operator.approvals()
    del cluster.objects[names.PLURAL, "first"]["status"]["retrainApprovalUid"]
    operator.answer("Approve", "joe")
    restarted = MemoryOperator(cluster, settings)
    await restarted.reconcile()
    [found] = restarted.approvals()
    assert found["metadata"]["uid"] == own["metadata"]["uid"]
    assert restarted.status()["retrainApprovalUid"] == own["metadata"]["uid"]
    assert DECIDING in restarted.jobs()
    assert restarted.count_problems("foreign") == 0


async def test_request_that_was_created_again_does_not_get_the_old_answer(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    await await_approval(cluster, operator, request_body)
    operator.answer("Approve", "joe")
    [old] = operator.approvals()
    again = request_body()
    again["metadata"]["uid"] = "uid-of-another-first"
    again["status"] = operator.status() | {"jobName": None}
    cluster.objects[names.PLURAL, "first"] = again
    del cluster.objects["jobs", build_job_name("first", UID)]
    restarted = MemoryOperator(cluster, settings)
    await restarted.reconcile()
    assert_not_applied(restarted)
    asked = {body["metadata"]["name"] for body in restarted.approvals()}
    assert asked == {
        old["metadata"]["name"],
        build_approval_name("first", "uid-of-another-first"),
    }


async def test_answer_for_a_challenger_that_does_not_wait_has_no_effect(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    forge(cluster)
    put_request(cluster, request_body())
    await operator.reconcile()
    finish_job(cluster, build_job_name("first", UID), document(NOW, verdict="Kept"))
    await operator.reconcile()
    assert operator.condition("Promoted")[0] == "False"
    assert DECIDING not in operator.jobs()


async def test_answer_for_a_locked_rollback_has_no_effect(
    cluster: MemoryCluster, request_body: Build, settings: Settings
) -> None:
    trainer = settings.trainer.model_copy(update={"promotion": Promotion.MANUAL})
    manual = settings.model_copy(update={"trainer": trainer, "requests": Requests()})
    operator = MemoryOperator(cluster, manual)
    forge(cluster)
    put_request(cluster, request_body(spec={"rollbackTo": 3}))
    await operator.reconcile()
    assert operator.condition()[:2] == ("False", "RequestNotAllowed")
    assert operator.jobs() == []


async def test_outdated_crd_that_drops_the_digest_is_named_and_nothing_is_created(
    cluster: MemoryCluster,
    operator: MemoryOperator,
    request_body: Build,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await await_approval(cluster, operator, request_body)
    delete(cluster, operator)
    cluster.pruned_fields = {"launches"}
    restarted = MemoryOperator(cluster, settings)
    await restarted.reconcile()
    assert restarted.approvals() == []
    assert "crds/retrainrequests.yaml" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metadata": None, "spec": []},
        {"metadata": {"name": NAME, "namespace": "fraud", "uid": "x", "resourceVersion": "9"}},
        {"metadata": {"name": NAME, "uid": 5, "resourceVersion": "x"}, "spec": {"request": []}},
    ],
)
async def test_malformed_object_stops_nothing(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, body: dict[str, Any]
) -> None:
    operator.cache.approvals.update(body)
    operator.cache.approvals.remove(body)
    await await_approval(cluster, operator, request_body)
    operator.cache.approvals.update(body)
    operator.answer("Approve", "joe")
    await operator.reconcile()
    assert DECIDING in operator.jobs()
    assert operator.count_problems("unreadable") == 1


async def test_name_and_comment_of_the_approver_are_one_line_everywhere(
    cluster: MemoryCluster,
    operator: MemoryOperator,
    request_body: Build,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await await_approval(cluster, operator, request_body)
    [body] = operator.approvals()
    hostile = "joe\n2026-03-01 ERROR \x1b[2K\u202e" + "x" * 5000
    spec = body["spec"] | {"answer": "Reject", "approver": hostile, "comment": hostile}
    cluster.put(RTA, {**body, "spec": spec})
    await operator.reconcile()
    status = operator.status()
    for text in (status["approvalBy"], status["approvalComment"], *operator.condition("Promoted")):
        assert text.isprintable()
        assert len(text) < 2000
    assert "\x1b" not in caplog.text
