"""Ways to let the real API server refuse what it would otherwise do, as overload and broken webhooks do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.system.kubectl import Kubectl, wait_for

FLOW_CONTROL = "flowcontrol.apiserver.k8s.io/v1"


@contextmanager
def overloaded(kubectl: Kubectl) -> Iterator[None]:
    """Give the namespace's service accounts no share of the API server at all: it answers 429."""
    name = f"none-for-{kubectl.namespace}"
    none = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    level = {"type": "Limited", "limited": {**none, "limitResponse": {"type": "Reject"}}}
    subject = {"kind": "Group", "group": {"name": f"system:serviceaccounts:{kubectl.namespace}"}}
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    schema = {
        "matchingPrecedence": 1,
        "priorityLevelConfiguration": {"name": name},
        "rules": [{"subjects": [subject], "resourceRules": [rule]}],
    }
    with applied(kubectl, "PriorityLevelConfiguration", name, level), applied(kubectl, "FlowSchema", name, schema):
        yield


@contextmanager
def applied(kubectl: Kubectl, kind: str, name: str, spec: dict[str, Any]) -> Iterator[None]:
    """Have an object of flow control for a while."""
    kubectl.apply({"apiVersion": FLOW_CONTROL, "kind": kind, "metadata": {"name": name}, "spec": spec})
    try:
        yield
    finally:
        delete(kubectl, f"{kind}.{FLOW_CONTROL.partition('/')[0]}", name)


@contextmanager
def broken(kubectl: Kubectl) -> Iterator[None]:
    """Have a webhook that does not answer asked about every write: the API server answers 500."""
    name = f"broken-for-{kubectl.namespace}"
    rules = [
        {"apiGroups": ["retraining.dev"], "resources": ["retrainrequests", "retrainrequests/status"]},
        {"apiGroups": ["batch"], "resources": ["jobs"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]},
    ]
    webhook = {
        "name": "broken.retraining.dev",
        "rules": [{**rule, "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"]} for rule in rules],
        "clientConfig": {"url": "https://127.0.0.1:1/broken"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
    }
    kind = "ValidatingWebhookConfiguration"
    manifest = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}
    kubectl.apply({**manifest, "webhooks": [webhook]})
    try:
        yield
    finally:
        delete(kubectl, kind, name)


def delete(kubectl: Kubectl, kind: str, name: str) -> None:
    """Take an object away, however long the API server is away itself."""

    def gone() -> bool:
        kubectl("delete", kind, name, "--ignore-not-found")
        return True

    wait_for(f"{kind} {name} to go", gone)
