"""Makes the real API server refuse calls, as in an overload or with a broken webhook."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from typing import Any

from tests.cluster.addresses import HOST_ADDRESS
from tests.system.kubectl import Kubectl, wait_for

FLOW_CONTROL = "flowcontrol.apiserver.k8s.io/v1"
WEBHOOK = "ValidatingWebhookConfiguration"
SEATED = "chaos.retraining.dev/takes-the-seat"
LONGEST_SECONDS = 30
"""In seconds: the API server's longest wait for a webhook, and so how long the seat is taken."""


@contextmanager
def overload_api_server(kubectl: Kubectl, account: str) -> Iterator[None]:
    """Limit the namespace's service accounts to one seat and occupy it, so that calls get 429.

    Even without a share, the API server serves one request at a time. So a request of that account
    has to occupy the seat.

    Args:
        kubectl: For the namespace.
        account: The service account.

    Yields:
        Nothing, while the seat is occupied.
    """
    name = f"one-seat-for-{kubectl.namespace}-{secrets.token_hex(3)}"  # two strikes may overlap
    one = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    level = {"type": "Limited", "limited": {**one, "limitResponse": {"type": "Reject"}}}
    subject = {"kind": "Group", "group": {"name": f"system:serviceaccounts:{kubectl.namespace}"}}
    rule = {
        "verbs": ["*"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    schema = {
        "matchingPrecedence": 2,  # 1 is reserved for the schema of accounts without limit
        "priorityLevelConfiguration": {"name": name},
        "rules": [{"subjects": [subject], "resourceRules": [rule]}],
    }
    with (
        apply_object(kubectl, FLOW_CONTROL, "PriorityLevelConfiguration", name, {"spec": level}),
        apply_object(kubectl, FLOW_CONTROL, "FlowSchema", name, {"spec": schema}),
        occupy_seat(kubectl, account),
    ):
        yield


@contextmanager
def occupy_seat(kubectl: Kubectl, account: str) -> Iterator[None]:
    """Send a request of that service account, which waits for a webhook that never answers.

    Args:
        kubectl: For the namespace.
        account: The service account.

    Yields:
        Nothing, while the request waits.
    """
    name = f"seat-for-{kubectl.namespace}-{secrets.token_hex(3)}"
    request = {
        "apiVersion": "retraining.dev/v1alpha1",
        "kind": "RetrainRequest",
        "metadata": {"name": "seated", "labels": {SEATED: "true"}},
        "spec": {"reason": "to sit"},
    }
    create = [
        "create",
        "--dry-run=server",
        "--as",
        f"system:serviceaccount:{kubectl.namespace}:{account}",
    ]
    rules = [{"apiGroups": ["retraining.dev"], "resources": ["retrainrequests"]}]
    selector = {"objectSelector": {"matchLabels": {SEATED: "true"}}}
    with (
        socket.create_server((HOST_ADDRESS, 0)) as silent,
        NamedTemporaryFile("w", suffix=".json") as manifest,
    ):
        url = f"https://{HOST_ADDRESS}:{silent.getsockname()[1]}/"
        manifest.write(json.dumps(request))
        manifest.flush()
        silent.settimeout(1)

        def sit() -> tuple[subprocess.Popen[bytes], socket.socket] | None:
            command = [kubectl.program, *kubectl.access, *create, "--filename", manifest.name]
            sitting = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                return sitting, silent.accept()[0]
            except TimeoutError:  # the webhook is not called yet
                sitting.kill()
                return None

        with apply_webhook(kubectl, name, url, rules, LONGEST_SECONDS, **selector):
            sitting, asked = wait_for("the seat to be taken", sit)
            with sitting, asked:
                try:
                    yield
                finally:
                    sitting.kill()


@contextmanager
def break_webhook(kubectl: Kubectl) -> Iterator[None]:
    """Register a webhook that does not answer for every write, so that calls get 500."""
    rules = [
        {
            "apiGroups": ["retraining.dev"],
            "resources": ["retrainrequests", "retrainrequests/status"],
        },
        {"apiGroups": ["batch"], "resources": ["jobs"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]},
    ]
    name = f"broken-for-{kubectl.namespace}-{secrets.token_hex(3)}"
    with apply_webhook(kubectl, name, "https://127.0.0.1:1/", rules, 1):
        yield


@contextmanager
def apply_webhook(
    kubectl: Kubectl, name: str, url: str, rules: list[dict[str, Any]], seconds: int, **more: Any
) -> Iterator[None]:
    """Register a webhook for some creations and changes in the namespace.

    Args:
        kubectl: For the namespace.
        name: The name.
        url: The webhook's URL.
        rules: What it is called for.
        seconds: How long the API server waits for it.
        more: Further fields of the webhook.

    Yields:
        Nothing, while it is registered.
    """
    webhook = {
        "name": "chaos.retraining.dev",
        "rules": [
            {**rule, "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"]} for rule in rules
        ],
        "clientConfig": {"url": url},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": seconds,
        **more,
    }
    with apply_object(
        kubectl, "admissionregistration.k8s.io/v1", WEBHOOK, name, {"webhooks": [webhook]}
    ):
        yield


@contextmanager
def apply_object(
    kubectl: Kubectl, version: str, kind: str, name: str, content: dict[str, Any]
) -> Iterator[None]:
    """Create a cluster object for the block. Repeats while the API server is unavailable.

    Args:
        kubectl: For the namespace.
        version: The apiVersion.
        kind: The kind.
        name: The object's name.
        content: Its further fields.

    Yields:
        Nothing, while it exists.
    """
    manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}
    wait_for(f"{kind} {name} to be applied", lambda: kubectl.apply(manifest))
    try:
        yield
    finally:
        delete(kubectl, f"{kind}.{version.partition('/')[0]}", name)


def delete(kubectl: Kubectl, kind: str, name: str) -> None:
    """Delete an object. Repeats while the API server is unavailable.

    Args:
        kubectl: For the namespace.
        kind: The kind.
        name: The object's name.
    """

    def gone() -> bool:
        kubectl("delete", kind, name, "--ignore-not-found")
        return True

    wait_for(f"{kind} {name} to go", gone)
