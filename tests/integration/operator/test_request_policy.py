"""The chart's policy lets only the operator create RetrainRequests for Kafka records."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from retraining_operator.api.record_request import build_request
from retraining_operator.api.trigger import KafkaPosition, Trigger
from tests.system import environment, release
from tests.system.kubectl import CommandError, Kubectl, run

USER = "mallory"
OWN = build_request(Trigger(KafkaPosition("drift", 0, 1, 1_750_000_000_123), "drift", "{}"), "any")
NEEDED = (
    "--set=kafka.bootstrapServers=kafka:9092",
    "--set=redis.existingSecret=mine",
    "--set=database.existingSecret=mine",
)


@pytest.fixture
def guarded(namespace: Kubectl) -> Iterator[Kubectl]:
    """Apply the chart's policy to a namespace in which a user may do everything with requests."""
    command = [environment.ours().helm, "template", release.NAME, str(release.CHART), *NEEDED]
    template = ["--show-only", "templates/request-policy.yaml", "--namespace", namespace.namespace]
    policies = list(yaml.safe_load_all(run([*command, *template])))
    verbs = ("--verb=create,get,list,watch,patch,update", "--resource=retrainrequests")
    namespace("create", "role", "requester", *verbs)
    users = (f"--user={USER}", f"--user={operator(namespace)}")
    namespace("create", "rolebinding", "requester", "--role=requester", *users)
    for policy in policies:
        namespace.apply(policy)
    time.sleep(2)  # the API server applies a policy about a second after it is stored
    yield namespace
    name = policies[0]["metadata"]["name"]
    namespace("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)


def operator(namespace: Kubectl) -> str:
    return f"system:serviceaccount:{namespace.namespace}:{release.DEPLOYMENT}"


def create(namespace: Kubectl, user: str, metadata: dict[str, Any], **spec: Any) -> str:
    body = {**OWN, "metadata": metadata, "spec": spec}
    arguments = ("create", f"--as={user}", "--filename", "-", "--output=name")
    return namespace(*arguments, stdin=json.dumps(body)).strip()


def test_user_can_neither_claim_a_record_nor_take_its_name(guarded: Kubectl) -> None:
    own_name = OWN["metadata"]["name"]
    later_name = build_request(
        Trigger(KafkaPosition("drift", 0, 1, 1_750_000_000_123), "drift", "{}"), "any", 3
    )["metadata"]["name"]
    with pytest.raises(CommandError, match="only the operator creates requests for records"):
        create(guarded, USER, {"name": "mine"}, **OWN["spec"])
    for name in (own_name, later_name):
        with pytest.raises(CommandError, match="Choose another name"):
            create(guarded, USER, {"name": name})
    assert guarded.items("retrainrequests") == []


def test_operator_creates_requests_for_records_and_a_user_may_suspend_them(
    guarded: Kubectl,
) -> None:
    name = OWN["metadata"]["name"]
    create(guarded, operator(guarded), {"name": name}, **OWN["spec"])
    patch = '{"spec": {"suspend": true}}'
    guarded("patch", "rtr", name, f"--as={USER}", "--type=merge", "--patch", patch)
    assert guarded.get("rtr", name)["spec"]["suspend"] is True
    change = '{"spec": {"trigger": {"offset": 2}}}'
    with pytest.raises(CommandError):
        guarded("patch", "rtr", name, f"--as={USER}", "--type=merge", "--patch", change)


def test_other_names_and_generated_ones_are_free(guarded: Kubectl) -> None:
    for metadata in ({"name": "by-hand"}, {"name": "run-7"}, {"generateName": "back-"}):
        create(guarded, USER, metadata, reason="by hand")
    assert len(guarded.items("retrainrequests")) == 3
    patch = json.dumps({"spec": {"trigger": OWN["spec"]["trigger"]}})
    with pytest.raises(CommandError):
        guarded("patch", "rtr", "by-hand", f"--as={USER}", "--type=merge", "--patch", patch)
