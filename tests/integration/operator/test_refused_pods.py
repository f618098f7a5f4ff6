"""Pods that the API server rejects: the status shows its message within seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operator.admission import registered, served
from tests.integration.operator.runs import Start, condition, create_request, wait_until
from tests.system.kubectl import Kubectl, wait_for

CPU_AND_MEMORY = {"cpu": "10m", "memory": "16Mi"}
BOUNDED = {"requests": CPU_AND_MEMORY, "limits": CPU_AND_MEMORY}


def quota(namespace: Kubectl, **hard: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"hard": hard},
    }
    namespace.apply(body)
    wait_for(
        "the quota", lambda: namespace.get("resourcequota", "team").get("status", {}).get("hard")
    )


def selects(name: str) -> dict[str, Any]:
    return {"matchLabels": {"retraining.dev/request": name}}


@contextmanager
def pod_policy(namespace: Kubectl, request: str) -> Iterator[None]:
    """Have a ValidatingAdmissionPolicy deny the pods of one request."""
    name = f"{namespace.namespace}-pods"
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    match = {"resourceRules": [rule], "objectSelector": selects(request)}
    validations = [{"expression": "false", "message": "no trainers here"}]
    namespace.apply(
        {
            **group,
            "kind": "ValidatingAdmissionPolicy",
            "spec": {"matchConstraints": match, "validations": validations},
        }
    )
    where = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.namespace}}
    }
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": where}
    namespace.apply({**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding})
    try:
        yield
    finally:
        namespace("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)


def test_quota_on_limits_is_named_and_the_run_continues_without_it(
    namespace: Kubectl, operator: Start
) -> None:
    quota(namespace, **{"limits.cpu": "4"})
    operator(None)
    create_request(namespace, "first")
    message = wait_until(namespace, "first", "Unknown", "PodRefused")
    assert "failed quota: team: must specify limits.cpu" in message
    assert "job.resources" in message
    assert "triggers.startTimeoutSeconds and the deadline count meanwhile" in message

    namespace("delete", "resourcequota", "team")
    wait_until(
        namespace, "first", "Unknown", "ImagePullFailed"
    )  # the Job controller has tried again


def test_deadline_of_a_refused_pod_ends_the_run_with_the_refusal(
    namespace: Kubectl, operator: Start
) -> None:
    quota(namespace, pods="0")
    operator(None)
    create_request(namespace, "first", deadlineSeconds=6)
    message = wait_until(namespace, "first", "False", "PodRefused")
    assert message.startswith("The deadline of 6 s passed while the pod waited")
    assert "exceeded quota: team" in message
    assert "Raise spec.deadlineSeconds" not in message


def test_restarted_operator_shows_why_pods_are_refused(namespace: Kubectl, operator: Start) -> None:
    quota(namespace, pods="0")
    process = operator(None, {"CRASH_POINTS": "job-created=1"})
    create_request(namespace, "first")
    process.wait(60)
    wait_for("the Job controller's Event", lambda: "FailedCreate" in namespace("get", "events"), 30)
    assert condition(namespace, "first")[1] == "Launching"
    operator(None)
    assert "exceeded quota: team" in wait_until(namespace, "first", "Unknown", "PodRefused")
    assert len(namespace.items("jobs")) == 1


def test_message_of_every_admission_is_shown(
    namespace: Kubectl, operator: Start, tmp_path: Path
) -> None:
    bound = [{"type": "Container", "max": {"cpu": "2"}}]
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "l"},
            "spec": {"limits": bound},
        }
    )
    quota(namespace, **{"requests.memory": "1Gi"})

    def review(body: dict[str, Any]) -> dict[str, Any]:
        if body["metadata"]["labels"]["retraining.dev/request"] == "by-slowness":
            time.sleep(3)
        return {"allowed": False, "status": {"message": "trainers need an owner"}}

    def hook(name: str, client: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "name": f"{name}.test.dev",
            "clientConfig": client,
            "objectSelector": selects(name),
            **more,
        }

    with served(tmp_path, review) as client, pod_policy(namespace, "by-policy"):
        hooks = [
            hook("by-webhook", client),
            hook("by-absence", client | {"url": "https://127.0.0.1:1/"}),
            hook("by-slowness", client, timeoutSeconds=1),
        ]
        with registered(namespace, "Validating", ("", "pods"), *hooks):
            operator(None, resources=BOUNDED)
            for name in ("by-policy", "by-webhook", "by-absence", "by-slowness"):
                create_request(namespace, name)
            create_request(
                namespace, "by-limit-range", resources={"limits": {"cpu": "3", "memory": "1Mi"}}
            )
            create_request(namespace, "by-quota", resources={"requests": {"memory": "2Gi"}})
            messages = {
                "by-policy": "denied request: no trainers here",
                "by-webhook": 'admission webhook "by-webhook.test.dev" denied the request:'
                " trainers need an owner",
                "by-absence": 'failed calling webhook "by-absence.test.dev"',
                "by-slowness": 'failed calling webhook "by-slowness.test.dev"',
                "by-limit-range": "maximum cpu usage per Container is 2",
                "by-quota": "exceeded quota: team, requested: requests.memory=2Gi",
            }
            for name, words in messages.items():
                assert words in wait_until(namespace, name, "Unknown", "PodRefused")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        pytest.param(
            {"serviceAccountName": "nobody"},
            'serviceaccount "nobody" not found',
            id="service account",
        ),
        pytest.param(
            {"priorityClassName": "none"}, "no PriorityClass with name none", id="priority class"
        ),
        pytest.param(
            {"runtimeClassName": "none"}, 'RuntimeClass "none" not found', id="runtime class"
        ),
        pytest.param(
            {"podSecurityContext": {"runAsNonRoot": False}},
            'violates PodSecurity "restricted:',
            id="Pod Security",
        ),
    ],
)
def test_missing_prerequisite_of_a_pod_is_named(
    namespace: Kubectl, operator: Start, job: dict[str, Any], words: str
) -> None:
    namespace(
        "label", "namespace", namespace.namespace, "pod-security.kubernetes.io/enforce=restricted"
    )
    operator(None, **job)
    create_request(namespace, "first")
    assert words in wait_until(namespace, "first", "Unknown", "PodRefused")
