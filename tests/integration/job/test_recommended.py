"""The recommended preset and its commands with real Redis and PostgreSQL."""

import json
from typing import Any

import pytest

from tests.integration.job.trainers import TrainerProcess
from tests.integration.job.world import RECOMMENDED, World


def evaluate(world: World, run_id: str, **settings: Any) -> TrainerProcess:
    run = world.train(run_id, **{**RECOMMENDED, **settings})
    assert run.code == 0, run.log
    return run


def evidence(world: World, run_id: str) -> Any:
    [[found]] = world.sql("SELECT evidence FROM retraining_runs WHERE run_id = %s", run_id)
    return found


def test_first_model_then_a_better_one_then_a_worse_one(separable_world: World) -> None:
    world = separable_world
    first = evaluate(world, "raw", scaling="None", calibration="None")
    assert (first.result.verdict, first.result.version) == ("FirstModel", 1)
    second = evaluate(world, "scaled")
    assert (second.result.verdict, second.result.reason, second.result.version) == (
        "Promoted",
        "not_inferior",
        2,
    )
    third = evaluate(world, "raw-again", scaling="None", calibration="None")
    assert (third.result.verdict, third.result.promoted) == ("Kept", False)
    assert third.result.metrics
    assert second.result.metrics
    assert third.result.metrics.champion == second.result.metrics.challenger
    assert world.version == b"2"
    assert [row[0] for row in world.versions] == [1, 2]


def test_evidence_has_the_provenance_of_the_run(separable_world: World) -> None:
    world = separable_world
    evaluate(world, "run-1", scaling="None", calibration="None")
    evaluate(world, "run-2", image="retraining-job:1.2.3", threshold=0.8)
    found = evidence(world, "run-2")
    provenance, split = found["provenance"], found["split"]
    assert (provenance["image"], provenance["seed"], provenance["window"]["rows"]) == (
        "retraining-job:1.2.3",
        42,
        3_000,
    )
    assert (provenance["request"], provenance["trigger_reason"]) == (
        "retraining/demo",
        "drift_detected",
    )
    assert provenance["settings"]["threshold"] == 0.8
    assert len(provenance["checksum"]) == 64
    assert provenance["checksum"] == evidence(world, "run-1")["provenance"]["checksum"]
    assert split["training"]["rows"] + split["gap_rows"] + split["hold_out"]["rows"] == 3_000
    assert found["champion"]["version"] == 1
    assert found["champion"]["trained"] == split["training"]  # its window is in its manifest
    assert (
        found["comparison"]["lower"]
        <= found["comparison"]["difference"]
        <= found["comparison"]["upper"]
    )
    meta = json.loads(world.redis.get(f"{world.model_key}:meta"))
    assert (meta["version"], meta["run_id"], meta["threshold"]) == (2, "run-2", 0.8)
    assert meta["matching_threshold"] == found["challenger"]["matching_threshold"]
    changed = evaluate(world, "run-3", rows=2_999)
    assert changed.code == 0
    assert evidence(world, "run-3")["provenance"]["checksum"] != provenance["checksum"]


def test_report_is_found_by_run_and_by_request(separable_world: World) -> None:
    world = separable_world
    evaluate(world, "run-1")
    for name in ("run-1", "demo", "retraining/demo"):
        printed = world.start(arguments=("report", name)).wait()
        assert printed.code == 0, printed.log
        assert "<svg" in printed.log
        assert "run-1" in printed.log
    missing = world.start(arguments=("report", "nobody")).wait()
    assert missing.code == 65
    assert "There is no run nobody" in missing.log


def test_live_threshold_in_redis_replaces_the_setting(separable_world: World) -> None:
    world = separable_world
    key = f"{world.model_key}:threshold"
    world.redis.set(key, "0.55")
    evaluate(world, "run-1", threshold_key=key, dry_run=True)
    assert (
        evidence(world, "run-1")["threshold"],
        evidence(world, "run-1")["threshold_source"],
    ) == (0.55, key)
    world.redis.set(key, "high")
    run = evaluate(world, "run-2", threshold_key=key, dry_run=True)
    assert evidence(world, "run-2")["threshold"] == 0.7
    assert "instead of a threshold from 0 to 1" in run.log


def test_same_events_give_a_challenger_identical_to_the_champion(separable_world: World) -> None:
    world = separable_world
    evaluate(world, "run-1")
    again = evaluate(world, "run-2")
    assert (again.result.verdict, again.result.promoted) == ("Identical", False)
    assert world.version == b"1"


def test_without_labels_nothing_is_replaced(separable_world: World) -> None:
    world = separable_world
    evaluate(world, "run-1", scaling="None", calibration="None")
    world.sql("UPDATE scored_events SET anomaly_label = NULL")
    run = evaluate(world, "run-2")
    assert (run.result.verdict, run.result.reason) == ("Inconclusive", "no_truth")
    assert world.version == b"1"
    promoted = evaluate(world, "run-3", on_inconclusive="Promote")
    assert (promoted.result.verdict, promoted.result.version) == ("Inconclusive", 2)


def test_champion_that_has_learned_the_hold_out_is_not_evaluated_on_it(
    separable_world: World,
) -> None:
    world = separable_world
    evaluate(world, "run-1", preset="reference")
    run = evaluate(world, "run-2")
    assert (run.result.verdict, run.result.reason) == ("Inconclusive", "champion_saw_hold_out")
    world.sql("UPDATE scored_events SET timestamp = timestamp + interval '3 days'")
    assert evaluate(world, "run-3").result.reason != "champion_saw_hold_out"


@pytest.mark.parametrize("preset", ["recommended", "reference"])
def test_dry_run_leaves_no_trace_in_redis(separable_world: World, preset: str) -> None:
    run = evaluate(separable_world, "run-1", preset=preset, dry_run=True)
    assert (run.result.withheld, run.result.promoted, run.result.version) == ("DryRun", False, None)
    assert not list(separable_world.redis.scan_iter(f"{separable_world.model_key}*"))
    assert separable_world.versions == []
    assert len(separable_world.runs) == 1


def decide(world: World, word: str, run_id: str = "run-1", **more: Any) -> TrainerProcess:
    return world.start(
        run_id, arguments=("decide",), approval=word, approval_by="Jane Doe", **more
    ).wait()


def test_approved_challenger_goes_live_once(separable_world: World) -> None:
    world = separable_world
    run = evaluate(world, "run-1", promotion="Manual")
    assert (run.result.withheld, world.version) == ("AwaitingApproval", None)
    for _ in range(2):
        decided = decide(world, "approve")
        assert (decided.code, decided.result.promoted, decided.result.version) == (0, True, 1), (
            decided.log
        )
    assert world.version == b"1"
    assert [row[0] for row in world.versions] == [1]
    assert world.sql(
        "SELECT verdict, version, withheld, approval_by, promoted FROM retraining_runs"
    ) == [("FirstModel", 1, None, "Jane Doe", True)]
    meta = json.loads(world.redis.get(f"{world.model_key}:meta"))
    assert (meta["approved_by"], meta["input"]["events"]) == ("Jane Doe", 3_000)
    assert evidence(world, "run-1")["split"]


def test_rejected_challenger_does_not_go_live(separable_world: World) -> None:
    world = separable_world
    evaluate(world, "run-1", promotion="Manual")
    rejected = decide(world, "reject")
    assert (rejected.result.withheld, rejected.result.reason) == ("Rejected", "rejected"), (
        rejected.log
    )
    too_late = decide(world, "approve")
    assert too_late.result.withheld == "Rejected"
    assert world.version is None
    assert world.sql("SELECT withheld, approval_by FROM retraining_runs") == [
        ("Rejected", "Jane Doe")
    ]


def test_challenger_that_was_overtaken_while_it_waited_does_not_go_live(
    separable_world: World,
) -> None:
    world = separable_world
    evaluate(world, "run-1", promotion="Manual")
    evaluate(world, "run-2", scaling="None", calibration="None")
    decided = decide(world, "approve")
    assert (decided.code, decided.result.reason, decided.result.promoted) == (
        0,
        "overtaken",
        False,
    ), decided.log
    assert "version 1 of run run-2" in decided.result.message
    assert world.version == b"1"


def test_nothing_awaits_approval(separable_world: World) -> None:
    decided = decide(separable_world, "approve", run_id="nobody")
    assert (decided.code, decided.result.reason) == (0, "expired"), decided.log
    assert "There is no challenger of this run to approve" in decided.result.message


def test_rollback_has_its_own_version_and_row(separable_world: World) -> None:
    world = separable_world
    evaluate(world, "raw", scaling="None", calibration="None")
    first = world.model
    evaluate(world, "scaled")
    back = world.start("back", arguments=("rollback", "--to", "1")).wait()
    assert (back.code, back.result.verdict, back.result.version) == (0, "Restored", 3), back.log
    assert world.version == b"3"
    event = {"amount": 500.0, "hour_of_day": 5.0, "risk": 0.5}
    assert world.model["hst"].score_one(event) == first["hst"].score_one(event)
    assert [row[0] for row in world.versions] == [1, 2, 3]
    assert world.sql("SELECT restored_from, reason FROM retraining_runs WHERE run_id = 'back'") == [
        (1, "rollback")
    ]
    listed = world.start(arguments=("history",)).wait()
    assert [line.split()[0] for line in listed.log.splitlines()] == ["VERSION", "3", "2", "1"]
    unknown = world.start("no-way", arguments=("rollback", "--to", "9")).wait()
    assert unknown.code == 78
    assert "Stored versions: 1, 2" in unknown.log


def test_only_a_signed_champion_is_trusted(separable_world: World) -> None:
    world = separable_world
    key = {"SIGNING_KEY": "a key that nobody guesses"}

    def run(run_id: str, environment: dict[str, str], **settings: Any) -> TrainerProcess:
        fields = {**RECOMMENDED, **settings}
        return world.start(run_id, environment=environment, **fields).wait()

    assert run("run-1", key, scaling="None", calibration="None").result.version == 1
    assert run("run-2", key).result.version == 2
    other = run(
        "run-3", {"SIGNING_KEY": "another key of somebody else"}, scaling="None", calibration="None"
    )
    assert other.result.verdict == "UnreadableChampion", other.log
    assert world.version == b"2"
    short = run("run-4", {"SIGNING_KEY": "short"})
    assert short.code == 78
    assert "signing.existingSecret (SIGNING_KEY) is wrong" in short.log
