"""A request becomes exactly one Job, whatever else happens."""

import asyncio
from datetime import UTC, datetime

import pytest

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.ownership import (
    add_launch_token,
    compute_launch_digest,
    create_launch_token,
)
from retraining_operator.api.request import read_request
from retraining_operator.api.status import build_launching_status
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.resources import JOBS
from retraining_operator.settings import Settings
from tests.integration.operator.conftest import plain_reason
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate, reconcile
from tests.system.kubectl import Kubectl, wait_for

pytestmark = pytest.mark.usefixtures("no_pods")

MANIFEST = {"apiVersion": "retraining.dev/v1alpha1", "kind": "RetrainRequest"}


def apply(namespace: Kubectl, *names: str) -> None:
    for name in names:
        namespace.apply({**MANIFEST, "metadata": {"name": name}, "spec": {"reason": "test"}})


def reason(namespace: Kubectl, name: str) -> str:
    conditions = namespace.get("retrainrequest", name)["status"]["conditions"]
    return plain_reason(
        next(condition["reason"] for condition in conditions if condition["type"] == "Succeeded")
    )


async def settle(parts: OperatorParts, cluster: KubeClient, passes: int = 3) -> None:
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    for _ in range(passes):
        await reconcile(reconciler)


async def test_concurrency_limit_is_reached_and_not_exceeded(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    apply(namespace, "a", "b", "c", "d")
    await settle(parts, cluster)
    assert len(namespace.items("jobs")) == 2
    reasons = [reason(namespace, name) for name in "abcd"]
    assert sorted(reasons) == ["JobCreated", "JobCreated", "Queued", "Queued"]


async def test_two_operators_at_once_create_no_second_job(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    apply(namespace, *(f"r{number}" for number in range(6)))
    raised = settings.model_copy(
        update={"triggers": settings.triggers.model_copy(update={"max_concurrent": 6})}
    )
    await asyncio.gather(*(settle(OperatorParts(raised), cluster) for _ in range(3)))
    await settle(
        OperatorParts(raised), cluster
    )  # without a watch none of the three has heard of the others' writes
    owners = [job["metadata"]["ownerReferences"][0]["name"] for job in namespace.items("jobs")]
    assert sorted(owners) == [f"r{number}" for number in range(6)]
    assert {reason(namespace, f"r{number}") for number in range(6)} == {"JobCreated"}


async def test_job_created_before_a_crash_is_adopted(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, settings: Settings
) -> None:
    apply(namespace, "a")
    request = read_request(namespace.get("retrainrequest", "a"))
    manifest, token = build_job(request, settings), create_launch_token()
    job = manifest["metadata"]["name"]
    digest = compute_launch_digest(job, token)
    status = build_launching_status(request, job, datetime.now(UTC), digest)
    await cluster.patch_status("a", request.resource_version, status)
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    await cluster.create(JOBS, add_launch_token(manifest, token))  # as if the answer had been lost
    for _ in range(3):
        await reconcile(reconciler)
    assert len(namespace.items("jobs")) == 1
    assert reason(namespace, "a") == "JobCreated"


async def test_foreign_job_of_the_same_name_is_not_adopted(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, settings: Settings
) -> None:
    apply(namespace, "a")
    [body] = namespace.items("retrainrequests")
    manifest = build_job(read_request(body), settings)
    del manifest["metadata"]["ownerReferences"]
    await cluster.create(JOBS, manifest)
    await settle(parts, cluster)
    assert reason(namespace, "a") == "JobNameTaken"


async def test_outdated_version_changes_nothing(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    apply(namespace, "a")
    [old] = namespace.items("retrainrequests")
    await settle(parts, cluster)
    stale = OperatorParts(parts.settings)
    stale.cache.update_request(old)  # this operator knows neither the status nor the Job
    reconciler = build_reconciler(stale, cluster)
    for _ in range(3):
        await reconcile(reconciler)
    assert len(namespace.items("jobs")) == 1
    assert reason(namespace, "a") == "JobCreated"


async def test_job_that_a_quota_rejects_is_retried(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts
) -> None:
    apply(namespace, "a")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    namespace.apply({**quota, "spec": {"hard": {"count/jobs.batch": "0"}}})
    wait_for(
        "the quota", lambda: namespace.get("resourcequota", "none").get("status", {}).get("hard")
    )
    await settle(parts, cluster)
    assert reason(namespace, "a") == "JobRefusedForNow"
    namespace("delete", "resourcequota", "none")
    await settle(parts, cluster)
    assert reason(namespace, "a") == "JobCreated"
