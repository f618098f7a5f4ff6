"""Failures of every component: one Job per request, versions without gaps and duplicates."""

import time

import pytest

from tests.e2e.test_outcomes import load_good
from tests.e2e.world import ClusterWorld
from tests.system.kubectl import wait_for

AWAY_SECONDS = 20
DEATHS = pytest.mark.parametrize("force", [False, True], ids=["deleted", "killed"])


def forbid(world: ClusterWorld, resource: str) -> None:
    """Make the API server refuse to create a kind, so that a step of the operator fails."""
    world.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none"},
            "spec": {"hard": {f"count/{resource}": "0"}},
        }
    )
    wait_for(
        "the quota",
        lambda: world.kubectl.get("resourcequota", "none").get("status", {}).get("hard"),
    )


def allow(world: ClusterWorld) -> None:
    world.kubectl("delete", "resourcequota", "none")


@DEATHS
def test_operator_dies_between_record_and_request(world: ClusterWorld, force: bool) -> None:
    load_good(world)
    forbid(world, "retrainrequests.retraining.dev")
    try:
        world.kafka.send('{"reason": "caught in between"}')
        wait_for("the record to wait", lambda: "exceeded quota" in operator_log(world))
        world.stop_operator(force=force)
    finally:
        allow(world)
    [name] = world.wait_for_requests(1)
    assert world.wait_for_end(name)["version"] == 1


@DEATHS
def test_operator_dies_between_request_and_job(world: ClusterWorld, force: bool) -> None:
    load_good(world)
    forbid(world, "jobs.batch")
    try:
        world.kafka.send('{"reason": "caught in between"}')
        [name] = world.wait_for_requests(1)
        world.wait_for_reason(name, "JobRefusedForNow")
        world.stop_operator(force=force)
    finally:
        allow(world)
    assert world.wait_for_end(name)["version"] == 1


@DEATHS
def test_operator_dies_between_job_and_status(world: ClusterWorld, force: bool) -> None:
    load_good(world)
    with world.held_events():  # it ends at an unobserved moment
        name = world.apply("unseen")
        wait_for("its Job", lambda: world.jobs(name))
        world.kubectl("scale", "deployment", "--all", "--replicas=0")
        world.stop_operator(force=force)
    wait_for(
        "the Job's end", lambda: world.jobs(name)[0].get("status", {}).get("completionTime"), 120
    )
    assert world.condition(name).get("status", "Unknown") == "Unknown"
    world.kubectl("scale", "deployment", "--all", "--replicas=1")
    assert world.wait_for_end(name)["version"] == 1
    assert world.jobs(name)[0]["spec"]["ttlSecondsAfterFinished"] == 3600


@DEATHS
def test_job_s_pod_dies_mid_run(world: ClusterWorld, force: bool) -> None:
    load_good(world)
    with world.held_events():
        name = world.apply("interrupted")
        world.wait_for_reason(name, "Running")
        options = ["--grace-period=0", "--force"] if force else []
        world.kubectl("delete", "pods", "--selector", f"retraining.dev/request={name}", *options)
    status = world.wait_for_end(name)
    assert (status["verdict"], status["version"], status["attempts"]) == ("Promoted", 1, 2)


@pytest.mark.parametrize("service", ["redis", "postgres"])
def test_store_is_unavailable_for_20_seconds(world: ClusterWorld, service: str) -> None:
    load_good(world)
    world.scale(service, 0)
    try:
        world.kafka.send(f'{{"reason": "{service} is away"}}')
        [name] = world.wait_for_requests(1)
        world.wait_for_reason(name, "Running")
        time.sleep(AWAY_SECONDS)
    finally:
        world.scale(service, 1)
    assert world.wait_for_end(name)["version"] == 1


def test_kafka_is_unavailable_for_20_seconds(world: ClusterWorld) -> None:
    load_good(world)
    world.scale("kafka", 0)
    try:
        by_hand = world.wait_for_end(world.apply("meanwhile"))
        time.sleep(AWAY_SECONDS)
    finally:
        world.scale("kafka", 1)
    world.kafka.send('{"reason": "kafka is back"}')
    name = next(name for name in world.wait_for_requests(2) if name != "meanwhile")
    assert [by_hand["version"], world.wait_for_end(name)["version"]] == [1, 2]


def operator_log(world: ClusterWorld) -> str:
    return world.kubectl("logs", "--selector", "app.kubernetes.io/component=operator", "--tail=50")
