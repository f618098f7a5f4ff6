"""Each outcome of a run, from a record or from kubectl."""

import json

import pytest

from tests.e2e.world import ClusterWorld
from tests.system.events import made_up
from tests.system.kubectl import wait_for

CENTRE = 0.2


def load_good(world: ClusterWorld, rows: int = 600) -> None:
    world.load(
        made_up(rows - 200, CENTRE),
        made_up(200, CENTRE, seed=2, anomalies=0.1, first=rows - 200),
    )


def described_events(world: ClusterWorld, name: str) -> set[str]:
    return set(world.kubectl("describe", "rtr", name).partition("Events:")[2].split())


def test_record_becomes_a_promoted_model(world: ClusterWorld) -> None:
    load_good(world)
    world.kafka.send('{"reason": "drift_detected", "drift_score": 0.31}')
    [name] = world.wait_for_requests(1)
    status = world.wait_for_end(name)
    assert (status["verdict"], status["version"], status["samples"]) == ("Promoted", 1, 600)
    [row] = world.postgres.rows(
        "SELECT version, trigger_reason, precision_score, n_samples FROM model_versions"
    )
    assert row == [
        "1",
        "drift_detected",
        f"{status['metrics']['challenger']['precision']:.4g}",
        "600",
    ]
    spec = world.requests()[name]["spec"]
    assert json.loads(spec["trigger"]["record"])["drift_score"] == 0.31
    assert "version 1" in world.kubectl(
        "logs", "--selector", f"retraining.dev/request={name}", "--tail=-1"
    )


def test_applied_request_becomes_a_promoted_model(world: ClusterWorld) -> None:
    load_good(world)
    status = world.wait_for_end(world.apply("by-hand", reason="by hand"))
    assert (status["verdict"], status["version"]) == ("Promoted", 1)
    for kind in ("Succeeded", "Promoted", "Recorded"):
        world.wait_for_truth("by-hand", kind, "True")
    shown = world.kubectl("get", "rtr", "by-hand", "--no-headers").split()
    assert shown[:6] == ["by-hand", "by", "hand", "Promoted", "Promoted", "1"]
    wait_for(
        "its Events", lambda: {"JobCreated", "Promoted"} <= described_events(world, "by-hand"), 20
    )


@pytest.mark.parametrize(
    ("rows", "verdict"), [(499, "InsufficientData"), (500, "Promoted"), (600, "Promoted")]
)
def test_fewer_than_500_rows_train_nothing(world: ClusterWorld, rows: int, verdict: str) -> None:
    load_good(world, rows)
    status = world.wait_for_end(world.apply("few"))
    assert (status["verdict"], status["samples"]) == (verdict, rows)
    run = world.postgres.rows("SELECT verdict, reason, n_samples FROM retraining_runs")
    if rows < 500:
        assert run == [["InsufficientData", "insufficient_data", "499"]]


def test_tie_goes_to_the_challenger(world: ClusterWorld) -> None:
    load_good(world)
    world.wait_for_end(world.apply("first"))
    status = world.wait_for_end(world.apply("second"))
    assert (status["verdict"], status["version"], status["championVersion"]) == ("Promoted", 2, 1)
    assert status["metrics"]["champion"] == status["metrics"]["challenger"]


def test_worse_challenger_does_not_go_live(world: ClusterWorld) -> None:
    load_good(world)
    world.wait_for_end(world.apply("first"))
    # The reference learns from newest to oldest: other old events, same hold-out, and it knows the
    # wrong cloud.
    world.load(made_up(400, 0.6, seed=3), made_up(200, CENTRE, seed=2, anomalies=0.1, first=400))
    status = world.wait_for_end(world.apply("worse"))
    assert status["verdict"] == "Kept"
    assert status["metrics"]["challenger"]["precision"] < status["metrics"]["champion"]["precision"]
    assert world.condition("worse", "Promoted")["status"] == "False"
    [[reason]] = world.postgres.rows("SELECT reason FROM retraining_runs WHERE verdict = 'Kept'")
    assert reason == "lower_precision"


def test_unreadable_champion_is_reported_and_stays(world: ClusterWorld) -> None:
    load_good(world)
    world.wait_for_end(world.apply("first"))
    world.redis.run("SET", "active_model", "garbage")
    status = world.wait_for_end(world.apply("second"))
    assert status["verdict"] == "UnreadableChampion"
    assert world.redis.run("GET", "active_model") == "garbage"


def test_two_requests_at_once_give_two_versions(world: ClusterWorld) -> None:
    load_good(world)
    names = [world.apply("left"), world.apply("right")]
    assert sorted(world.wait_for_end(name)["version"] for name in names) == [1, 2]


def test_third_request_waits_until_a_run_has_ended(world: ClusterWorld) -> None:
    load_good(world)
    with world.held_events():  # otherwise the first is finished before the third arrives
        for name in ("one", "two", "three"):
            world.apply(name)
        world.wait_for_reason("three", "Queued")
    assert [world.wait_for_end(name)["verdict"] for name in ("one", "two", "three")] == [
        "Promoted"
    ] * 3


def test_suspended_request_starts_when_suspend_is_false(world: ClusterWorld) -> None:
    load_good(world)
    world.apply("held", suspend=True)
    world.wait_for_reason("held", "Suspended")
    world.kubectl("patch", "rtr", "held", "--type=merge", "--patch", '{"spec": {"suspend": false}}')
    assert world.wait_for_end("held")["verdict"] == "Promoted"
