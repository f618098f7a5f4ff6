"""The trigger policy against the real API server."""

import asyncio
from typing import Any

import pytest

from retraining_operator.contract import Promotion
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.resources import JOBS
from retraining_operator.settings import ConcurrencyPolicy, Requests, Settings
from tests.integration.operator.conftest import plain_reason
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate, reconcile
from tests.system.kubectl import Kubectl, wait_for

pytestmark = pytest.mark.usefixtures("no_pods")

TRIGGER = {
    "topic": "drift",
    "partition": 0,
    "offset": 7,
    "timestamp": "2026-03-01T12:00:00.000Z",
    "record": "{}",
}
MANIFEST = {"apiVersion": "retraining.dev/v1alpha1", "kind": "RetrainRequest"}


def apply(namespace: Kubectl, *names: str, **spec: Any) -> None:
    for name in names:
        namespace.apply(
            {**MANIFEST, "metadata": {"name": name}, "spec": {"reason": f"why {name}", **spec}}
        )


def reasons(namespace: Kubectl) -> dict[str, str]:
    return {
        item["metadata"]["name"]: plain_reason(item["status"]["conditions"][0]["reason"])
        for item in namespace.items("retrainrequests")
    }


def with_triggers(settings: Settings, **changes: Any) -> OperatorParts:
    return OperatorParts(
        settings.model_copy(update={"triggers": settings.triggers.model_copy(update=changes)})
    )


async def settle(parts: OperatorParts, cluster: KubeClient, passes: int = 4) -> None:
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    for _ in range(passes):
        await reconcile(reconciler)


async def test_paused_requests_start_after_the_pause(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    apply(namespace, "a", "b", "c")
    await settle(with_triggers(settings, paused=True, coalesce=True), cluster)
    assert reasons(namespace) == {"a": "Paused", "b": "Merged", "c": "Merged"}
    assert namespace.items("jobs") == []
    merged = namespace.get("retrainrequest", "a")["status"]["merged"]
    assert (merged["count"], sorted(merged["reasons"])) == (2, ["why b", "why c"])
    assert namespace.get("retrainrequest", "b")["status"]["mergedInto"] == "a"
    events = [
        event["note"]
        for event in namespace.items("events.events.k8s.io")
        if event["regarding"]["name"] == "b"
    ]
    assert any("Merged into the request" in note for note in events)

    await settle(with_triggers(settings), cluster)  # another operator, with other settings
    assert reasons(namespace) == {"a": "JobCreated", "b": "Merged", "c": "Merged"}
    assert [job["metadata"]["ownerReferences"][0]["name"] for job in namespace.items("jobs")] == [
        "a"
    ]
    assert namespace.get("retrainrequest", "a")["status"]["merged"]["count"] == 2


async def test_newer_request_replaces_the_running_one(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    parts = with_triggers(settings, max_concurrent=1, concurrency_policy=ConcurrencyPolicy.REPLACE)
    apply(namespace, "old")
    await settle(parts, cluster)
    apply(namespace, "new")
    await settle(parts, cluster)
    [job] = namespace.items("jobs")
    assert job["metadata"]["annotations"]["retraining.dev/replaced-by"] == "new"

    wait_for(
        "the Job's end",
        lambda: [
            c
            for c in namespace.items("jobs")[0]["status"].get("conditions", ())
            if c["type"] == "Failed"
        ],
    )
    await settle(parts, cluster, 6)
    assert reasons(namespace) == {"old": "Replaced", "new": "JobCreated"}


async def test_only_one_of_two_conflicting_admissions_is_carried_out(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    """One starts all, the other merges all but one. No request is merged and has a Job."""
    apply(namespace, *(f"r{number}" for number in range(8)))
    generous = with_triggers(settings, max_concurrent=8)
    thrifty = with_triggers(settings, paused=True, coalesce=True)
    await asyncio.gather(
        settle(generous, cluster), settle(thrifty, cluster), settle(generous, cluster)
    )
    await settle(generous, cluster)  # what only conflicts have held up
    with_job = {job["metadata"]["ownerReferences"][0]["name"] for job in namespace.items("jobs")}
    merged = {name for name, reason in reasons(namespace).items() if reason == "Merged"}
    assert with_job.isdisjoint(merged)
    assert with_job | merged == {f"r{number}" for number in range(8)}


async def test_rollbacks_at_once_run_one_by_one_and_take_no_place_of_a_run(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    apply(namespace, *(f"back-{number}" for number in range(8)), rollbackTo=1)
    apply(namespace, "a", "b", "c")
    await settle(with_triggers(settings, max_concurrent=2), cluster)
    owners = [job["metadata"]["ownerReferences"][0]["name"] for job in namespace.items("jobs")]
    assert len([name for name in owners if name.startswith("back-")]) == 1
    assert len(owners) == 3
    assert sorted(reasons(namespace).values()).count("Queued") == 8


async def test_request_that_the_owner_does_not_allow_ends_without_a_job(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    manual = settings.trainer.model_copy(update={"promotion": Promotion.MANUAL})
    parts = OperatorParts(settings.model_copy(update={"requests": Requests(), "trainer": manual}))
    weak = {"promotion": "Auto", "onInconclusive": "Promote", "margin": "1", "threshold": "0"}
    apply(namespace, "weak", **weak, minimumRows=1)
    apply(namespace, "greedy", deadlineSeconds=604_800, resources={"requests": {"cpu": "1000"}})
    apply(namespace, "back", rollbackTo=1)
    apply(namespace, "forged", trigger=TRIGGER)
    apply(namespace, "strict", promotion="Manual", margin="0.01", dryRun=True)
    await settle(parts, cluster)
    found = reasons(namespace)
    assert found.pop("strict") == "JobCreated"
    assert set(found.values()) == {"RequestNotAllowed"}
    assert len(namespace.items("jobs")) == 1
    messages = {
        item["metadata"]["name"]: item["status"]["conditions"][0]["message"]
        for item in namespace.items("retrainrequests")
    }
    assert all(f"spec.{field}: " in messages["weak"] for field in weak)
    assert "requests.open" in messages["weak"]
    assert "requests.maxDeadlineSeconds" in messages["greedy"]
    assert "requests.maxResources.cpu" in messages["greedy"]
    assert "trainer.promotion" in messages["back"]
    assert "spec.trigger is not allowed" in messages["forged"]


async def test_finished_requests_are_pruned_once_they_are_recorded(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    apply(namespace, "a", "b", "c", rows=10, minimumRows=5)
    few = settings.model_copy(
        update={"retention": settings.retention.model_copy(update={"max_count": 1})}
    )
    for name, recorded in (("a", "True"), ("b", "False")):
        conditions = [
            {
                "type": kind,
                "status": status,
                "reason": "Test",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            for kind, status in (
                ("Succeeded", "False"),
                ("Promoted", "False"),
                ("Recorded", recorded),
            )
        ]
        version = int(namespace.get("retrainrequest", name)["metadata"]["resourceVersion"])
        await cluster.patch_status(name, version, {"conditions": conditions})
    parts = OperatorParts(few)
    await settle(parts, cluster)
    assert set(reasons(namespace)) == {"b", "c"}
    assert "a" not in {past.name for past in parts.cache.settled.values()}


async def test_job_is_created_only_after_the_status_names_it(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    """The operator dies between the two. Another one creates the Job, even though it is paused."""
    apply(namespace, "a")

    class DiesBeforeTheJob(KubeClient):
        async def create(self, kind: Any, manifest: Any, *rest: Any, **more: Any) -> Any:
            if kind is JOBS:
                raise asyncio.CancelledError
            return await super().create(kind, manifest, *rest, **more)

    dying = DiesBeforeTheJob(cluster.transport, cluster.namespace)  # the same connection
    reconciler = build_reconciler(parts, dying)
    await populate(parts, dying)
    await reconcile(reconciler)
    assert reasons(namespace) == {"a": "Launching"}
    assert namespace.items("jobs") == []
    await settle(with_triggers(parts.settings, paused=True), cluster)
    assert reasons(namespace) == {"a": "JobCreated"}
    assert len(namespace.items("jobs")) == 1
