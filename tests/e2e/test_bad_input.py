"""Bad input is refused with one clear message, and no later record is lost."""

import json
from typing import Any

import pytest

from tests.e2e.test_outcomes import load_good
from tests.e2e.world import ClusterWorld
from tests.system.kubectl import CommandError, wait_for

DOOMED = "retraining.dev/request=doomed"


def test_malformed_records_are_counted_and_the_next_ones_run(world: ClusterWorld) -> None:
    load_good(world)
    before = {
        kind: world.metric(f'retraining_triggers_total{{outcome="{kind}"}}')
        for kind in ("not_json", "empty")
    }
    world.kafka.send(
        '{"reason": "one"}', "drift!", '{"reason": "two"}', None, '{"reason": "three"}'
    )
    names = world.wait_for_requests(3)
    assert [world.requests()[name]["spec"]["reason"] for name in names] == ["one", "two", "three"]
    assert [world.wait_for_end(name)["verdict"] for name in names] == ["Promoted"] * 3
    for kind, count in before.items():
        assert world.metric(f'retraining_triggers_total{{outcome="{kind}"}}') == count + 1
    log = world.kubectl("logs", "--selector", "app.kubernetes.io/component=operator", "--tail=-1")
    assert f"Skipped the record {world.kafka.topic}/" in log


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("[1, 2]", "not_object"),
        ("x" * 1_000_000, "too_large"),
        (json.dumps({"reason": "x" * 10_000}), "reason_too_long"),
        (json.dumps({"reason": 7}), "bad_reason"),
    ],
    ids=["no object", "1 MB of text", "a reason of 10,000 characters", "a number as reason"],
)
def test_each_kind_is_skipped(world: ClusterWorld, value: str, kind: str) -> None:
    series = f'retraining_triggers_total{{outcome="{kind}"}}'
    before = world.metric(series)
    world.kafka.send(value, '{"reason": "behind it", "unknown": {"fields": true}}')
    [name] = world.wait_for_requests(1)
    assert world.requests()[name]["spec"]["reason"] == "behind it"
    assert wait_for("the count", lambda: world.metric(series) == before + 1, 20)
    world.wait_for_end(name)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"rows": 0}, "spec.rows"),
        ({"threshold": "1.5"}, "spec.threshold"),
        ({"threshold": 0.5}, "spec.threshold"),
        ({"reason": "x" * 1001}, "spec.reason"),
        ({"preset": "magic"}, "spec.preset"),
        ({"rows": 10, "minimumRows": 20}, "spec.minimumRows"),
        ({"resources": {"limits": {"memory": "lots"}}}, "spec.resources.limits.memory"),
        ({"colour": "red"}, "spec.colour"),
    ],
)
def test_schema_refuses_with_the_field_s_name(
    world: ClusterWorld, spec: dict[str, Any], named: str
) -> None:
    with pytest.raises(CommandError, match=named.replace(".", r"\.")):
        world.apply("refused", **spec)


def test_spec_cannot_be_changed_afterwards(world: ClusterWorld) -> None:
    world.apply("fixed", suspend=True, rows=1000)
    with pytest.raises(CommandError, match="cannot be changed"):
        world.kubectl(
            "patch", "rtr", "fixed", "--type=merge", "--patch", '{"spec": {"rows": 2000}}'
        )


def test_what_the_schema_cannot_refuse_ends_the_request(world: ClusterWorld) -> None:
    status = world.wait_for_end(world.apply("impossible", rows=100))
    condition = status["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "InvalidRequest")
    assert "minimumRows" in condition["message"]


def test_job_that_the_api_server_refuses_ends_the_request(world: ClusterWorld) -> None:
    resources = {"requests": {"nvidia.com/gpu": "1"}}  # without a limit
    condition = world.wait_for_end(world.apply("no-limit", resources=resources))["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "JobRefused")
    assert "Limit must be set" in condition["message"]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (
            {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}},
            "spec.resources.limits.memory (1Gi)",
        ),
        ({"resources": {"limits": {"cpu": "1000"}}}, "requests.maxResources.cpu"),
        ({"resources": {"limits": {"memory": "0"}}}, "spec.resources.limits.memory: 0"),
        ({"deadlineSeconds": 604_800}, "requests.maxDeadlineSeconds"),
        ({"retries": 20}, "requests.maxRetries"),
    ],
)
def test_request_for_more_than_the_owner_allows_ends_at_once_and_names_the_limit(
    world: ClusterWorld, spec: dict[str, Any], named: str
) -> None:
    condition = world.wait_for_end(world.apply("greedy", **spec))["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "RequestNotAllowed")
    assert named in condition["message"]
    assert world.jobs("greedy") == []


def test_too_little_memory_is_reported_as_such(world: ClusterWorld) -> None:
    load_good(world)
    condition = world.wait_for_end(
        world.apply("tight", resources={"limits": {"memory": "40Mi"}}, retries=0)
    )["conditions"][0]
    assert condition["reason"] == "OutOfMemory"


def test_deadline_ends_the_run(world: ClusterWorld) -> None:
    load_good(world)
    with world.held_events():
        condition = world.wait_for_end(world.apply("late", deadlineSeconds=4))["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "DeadlineExceeded")


def test_job_deleted_by_hand_is_not_started_again(world: ClusterWorld) -> None:
    load_good(world)
    with (
        world.held_events()
    ):  # a trainer that has published and is killed leaves its row to the next one
        world.apply("doomed")
        wait_for(
            "its Job in the status",
            lambda: world.condition("doomed").get("reason") in {"JobCreated", "Running"},
        )
        # Kubernetes' own collector may let the pod run on for seconds.
        world.kubectl("delete", "jobs", "--selector", DOOMED)
        world.kubectl(
            "delete", "pods", "--selector", DOOMED, "--grace-period=1", "--ignore-not-found"
        )
        condition = world.wait_for_end("doomed")["conditions"][0]
    assert condition["reason"] == "JobDeleted"
    world.kubectl("delete", "rtr", "doomed")
