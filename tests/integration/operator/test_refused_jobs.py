"""Jobs that the API server rejects. The status shows why. Temporary rejections are retried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from tests.integration.operator.admission import registered, served
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate, reconcile
from tests.integration.operator.runs import condition, create_request
from tests.integration.operator.test_refused_pods import selects
from tests.system.kubectl import Kubectl

pytestmark = pytest.mark.usefixtures("no_pods")

ANSWERS: dict[str, dict[str, Any]] = {
    "without-a-code": {"message": "trainers need an owner"},
    "as-forbidden": {"code": 403, "reason": "Forbidden", "message": "trainers need an owner"},
    "as-invalid": {"code": 422, "reason": "Invalid", "message": "trainers need an owner"},
    "as-conflict": {"code": 409, "message": "trainers need an owner"},
    "as-missing": {"code": 404, "reason": "NotFound", "message": "trainers need an owner"},
    "as-too-many": {"code": 429, "reason": "TooManyRequests", "message": "trainers need an owner"},
    "as-unavailable": {
        "code": 503,
        "reason": "ServiceUnavailable",
        "message": "trainers need an owner",
    },
    "as-nobody-knows": {"code": 451, "message": "trainers need an owner"},
}
"""What a webhook may answer, by the name of the request whose Job it denies."""
UNKNOWN = "that the operator does not know"


@contextmanager
def job_policy(namespace: Kubectl, *reasons: str) -> Iterator[None]:
    """Create a ValidatingAdmissionPolicy that denies the Jobs of requests named after a reason."""
    rule = {
        "apiGroups": ["batch"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["jobs"],
    }
    where = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.namespace}}
    }
    names = []
    for reason in reasons:
        name = f"{namespace.namespace}-{reason.lower()}"
        group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
        match = {"resourceRules": [rule], "objectSelector": selects(f"policy-{reason.lower()}")}
        denial = {"expression": "false", "message": "no trainers here", "reason": reason}
        namespace.apply(
            {
                **group,
                "kind": "ValidatingAdmissionPolicy",
                "spec": {"matchConstraints": match, "validations": [denial]},
            }
        )
        binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": where}
        namespace.apply({**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding})
        names.append(name)
    try:
        yield
    finally:
        namespace("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", *names)


async def settle(settings: Settings, cluster: KubeClient) -> None:
    """Plan as often as a refused launch needs, as an operator that has just started."""
    raised = settings.model_copy(
        update={"triggers": settings.triggers.model_copy(update={"max_concurrent": 30})}
    )
    parts = OperatorParts(raised)
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    for _ in range(3):
        await reconcile(reconciler)


async def test_refusal_is_in_the_status_and_the_job_is_created_when_it_is_allowed(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, tmp_path: Path
) -> None:
    def review(body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["labels"]["retraining.dev/request"]
        if name == "by-slowness":
            time.sleep(3)
        return {"allowed": False, "status": ANSWERS.get(name, {})}

    reasons = ("Forbidden", "Invalid", "RequestEntityTooLarge")
    policies = [f"policy-{reason.lower()}" for reason in reasons]
    with served(tmp_path, review) as client, job_policy(namespace, *reasons):
        hooks = [
            {"name": f"{name}.test.dev", "clientConfig": client, "objectSelector": selects(name)}
            for name in ANSWERS
        ]
        absent: dict[str, Any] = {
            "clientConfig": client | {"url": "https://127.0.0.1:1/"},
            "objectSelector": selects("by-absence"),
        }
        slow: dict[str, Any] = {
            "clientConfig": client,
            "objectSelector": selects("by-slowness"),
            "timeoutSeconds": 1,
        }
        hooks += [
            {"name": "by-absence.test.dev", **absent},
            {"name": "by-slowness.test.dev", **slow},
        ]
        refused = [*ANSWERS, *policies, "by-absence", "by-slowness"]
        for name in refused:
            create_request(namespace, name)
        with registered(namespace, "Validating", ("batch", "jobs"), *hooks):
            await settle(settings, cluster)
            said = {name: condition(namespace, name) for name in refused}
        assert {name: values[:2] for name, values in said.items()} == dict.fromkeys(
            refused, ("Unknown", "JobRefusedForNow")
        )
        for name in ANSWERS:
            assert (
                f'webhook "{name}.test.dev" denied the request: trainers need an owner'
                in said[name][2]
            )
        for name in policies:
            assert "denied request: no trainers here" in said[name][2]
        for name in ("by-absence", "by-slowness"):
            assert f'failed calling webhook "{name}.test.dev"' in said[name][2]
        assert [name for name in refused if UNKNOWN in said[name][2]] == ["as-nobody-knows"]
        assert namespace.items("jobs") == []
    await asyncio.sleep(2)  # until the API server has forgotten the policies
    await settle(settings, cluster)
    await settle(settings, cluster)
    assert {condition(namespace, name)[1] for name in refused} <= {"JobCreated", "PodRefused"}
    assert len(namespace.items("jobs")) == len(refused)


async def test_invalid_field_ends_the_run_and_is_named(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    # Kubernetes wants a limit too, because a device cannot be shared.
    create_request(namespace, "first", resources={"requests": {"nvidia.com/gpu": "1"}})
    await settle(settings, cluster)
    truth, reason, message = condition(namespace, "first")
    assert (truth, reason) == ("False", "JobRefused")
    assert "resources.limits" in message
    assert "apply a new request" in message


async def test_repeated_refusal_is_reported_once(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    namespace.apply({**quota, "spec": {"hard": {"count/jobs.batch": "0"}}})
    create_request(namespace, "first")
    await asyncio.sleep(1)
    for _ in range(3):
        await settle(settings, cluster)
    recorded = [
        event
        for event in namespace.items("events.events.k8s.io")
        if event["reason"] == "JobRefusedForNow"
    ]
    assert len(recorded) == 1
    assert "exceeded quota: none" in condition(namespace, "first")[2]


async def test_permanently_refused_job_blocks_no_other_request(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    with job_policy(namespace, "Forbidden"):
        create_request(namespace, "policy-forbidden")
        await asyncio.sleep(
            2
        )  # until the API server knows the policy, and so that it has come first
        create_request(namespace, "second")
        alone = settings.model_copy(
            update={"triggers": settings.triggers.model_copy(update={"max_concurrent": 1})}
        )
        parts = OperatorParts(alone)
        reconciler = build_reconciler(parts, cluster)
        await populate(parts, cluster)
        for _ in range(4):
            await reconcile(reconciler)
        assert condition(namespace, "policy-forbidden")[1] == "JobRefusedForNow"
        [job] = namespace.items("jobs")
        assert job["metadata"]["labels"]["retraining.dev/request"] == "second"
