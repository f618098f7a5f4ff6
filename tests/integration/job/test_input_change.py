"""Broken feeds, numbers as text, and labels of alerts only, with real services and both presets."""

import json
from typing import Any

import pytest

from tests.integration.job.trainers import TrainerProcess
from tests.integration.job.world import RECOMMENDED, World

PRESETS = {"recommended": RECOMMENDED, "reference": {"hold_out_rows": 200}}
NEWER = "WHERE timestamp >= '2025-01-02 12:00+00'"
"""The newer 840 of 3,000 events, one a minute."""

BREAKS = {
    "no object": "'[1, 2]'",
    "not decodable": "to_jsonb('<' || features_json::text)",
    "words": """'{"amount": "much", "hour_of_day": "late", "risk": "high"}'""",
    "one feature renamed": "features_json - 'risk' || jsonb_build_object('risk_score',"
    " features_json->'risk')",
    "null values": """features_json || '{"risk": null}'""",
    "features no longer stored": "NULL",
    "zeros": """'{"amount": 0, "hour_of_day": 0, "risk": 0}'""",
}
"""What `features_json` becomes."""
JSON_IN_A_STRING = "to_jsonb(features_json::text)"
AS_TEXT = "(SELECT jsonb_object_agg(key, value #>> '{}') FROM jsonb_each(features_json))"
WITHOUT_RISK = "features_json - 'risk'"
OTHER_NAMES = (
    "jsonb_build_object('voltage', features_json->'risk', 'ampere', features_json->'hour_of_day')"
)


def rewrite(world: World, features: str, where: str = "") -> None:
    world.sql(f"UPDATE scored_events SET features_json = {features} {where}")  # noqa: S608


def train(
    world: World, run_id: str, preset: str = "recommended", **settings: Any
) -> TrainerProcess:
    run = world.train(run_id, **{**PRESETS[preset], "preset": preset, **settings})
    assert run.code == 0, run.log
    return run


def verdict(run: TrainerProcess) -> tuple[str | None, str, bool]:
    return run.result.verdict, run.result.reason, run.result.promoted


def recorded(world: World) -> Any:
    return json.loads(world.redis.get(f"{world.model_key}:meta"))["input"]


@pytest.mark.parametrize("preset", PRESETS)
def test_broken_feed_keeps_the_champion(separable_world: World, preset: str) -> None:
    world = separable_world
    assert train(world, "run-1", preset).result.promoted
    world.sql("CREATE TABLE whole AS TABLE scored_events")
    for broken, features in BREAKS.items():
        rewrite(world, features, NEWER)
        run = train(world, broken.replace(" ", "-"), preset, forest_seed=7)
        assert verdict(run) == ("Kept", "input_changed", False), broken
        assert "acceptInputChange: true" in run.result.message
        assert run.result.message in run.log
        assert world.version == b"1"
        assert world.runs[-1][1:] == ("Kept", "input_changed", None)
        world.sql("TRUNCATE scored_events; INSERT INTO scored_events TABLE whole")
    assert train(world, "mended", preset, forest_seed=7).result.reason != "input_changed"


@pytest.mark.parametrize("preset", PRESETS)
def test_accepted_change_goes_live_and_later_runs_compare_with_it(
    separable_world: World, preset: str
) -> None:
    world = separable_world
    train(world, "run-1", preset)
    assert recorded(world)["features"]["risk"]["newest"] == 1.0
    rewrite(world, WITHOUT_RISK)
    assert verdict(train(world, "run-2", preset, forest_seed=7))[:2] == ("Kept", "input_changed")
    easy = {"margin": 1, "threshold": 1}  # no alert: a tie by the old rule
    accepted = train(world, "run-3", preset, forest_seed=7, accept_input_change=True, **easy)
    assert (accepted.result.promoted, accepted.result.version) == (True, 2), accepted.log
    assert "A change of the input was accepted" in accepted.result.message
    assert "risk" not in recorded(world)["features"]
    later = train(world, "run-4", preset, forest_seed=8, **easy)
    assert later.result.reason != "input_changed"
    assert "risk" not in later.result.message


def test_champion_of_other_features_stays_until_the_change_is_accepted(
    separable_world: World,
) -> None:
    world = separable_world
    train(world, "run-1")
    rewrite(world, OTHER_NAMES)
    kept = train(world, "run-2")
    assert verdict(kept) == ("Kept", "input_changed", False)
    assert "3 of the 3 features" in kept.result.message
    accepted = train(world, "run-3", accept_input_change=True)
    assert verdict(accepted) == ("Promoted", "input_accepted", True)
    assert (accepted.result.champion_version, accepted.result.version) == (1, 2)
    assert verdict(train(world, "run-4"))[0] == "Identical"


@pytest.mark.parametrize("preset", PRESETS)
def test_strings_that_hold_objects_are_read_and_counted(
    separable_world: World, preset: str
) -> None:
    world = separable_world
    train(world, "run-1", preset, scaling="None")
    rewrite(world, JSON_IN_A_STRING, NEWER)
    run = train(world, "run-2", preset)
    assert (run.result.promoted, run.result.version) == (True, 2), run.log
    assert (
        "840 of 3,000 events (28.0%) have a features_json that is a JSON string"
        in run.result.message
    )
    assert set(world.model["hst"].limits) == {"amount", "hour_of_day", "risk"}
    assert recorded(world)["decoded"] == 0.28


@pytest.mark.parametrize("preset", PRESETS)
def test_numbers_written_as_text_are_read_and_counted(separable_world: World, preset: str) -> None:
    world = separable_world
    rewrite(world, AS_TEXT)
    run = train(world, "run-1", preset)
    assert run.result.promoted, run.log
    assert (
        "Numbers written as text were read as numbers: amount in 3,000 events" in run.result.message
    )
    assert recorded(world)["texts"] == 1.0
    assert world.model["sad"].score_one({"amount": 5000.0}) > 0


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("broken", ["no object", "words"])
def test_first_model_is_not_made_of_a_broken_feed(
    separable_world: World, preset: str, broken: str
) -> None:
    world = separable_world
    rewrite(world, BREAKS[broken])
    run = train(world, "run-1", preset)
    expected = {"Unfit": "input_unreadable", "InsufficientData": "insufficient_data"}
    assert expected[str(run.result.verdict)] == run.result.reason
    assert not run.result.promoted
    assert world.model is None


def test_champion_of_an_older_trainer_is_compared_within_the_events(
    separable_world: World,
) -> None:
    world = separable_world
    train(world, "run-1")
    key = f"{world.model_key}:meta"
    manifest = json.loads(world.redis.get(key))
    del manifest["input"]
    world.redis.set(key, json.dumps(manifest))
    assert train(world, "run-2", forest_seed=7, margin=1).result.reason != "input_changed"
    world.redis.set(key, json.dumps(manifest))
    rewrite(world, BREAKS["no object"], NEWER)
    run = train(world, "run-3")
    assert run.result.reason == "input_changed"
    assert "of the older ones" in run.result.message


def test_evidence_and_report_show_the_input_then_and_now(separable_world: World) -> None:
    world = separable_world
    train(world, "run-1")
    rewrite(world, BREAKS["no object"], NEWER)
    train(world, "run-2")
    [[evidence, report]] = world.sql(
        "SELECT evidence, report FROM retraining_runs WHERE run_id = 'run-2'"
    )
    change = evidence["input"]
    assert (change["then"]["own"], change["now"]["own"], change["now"]["unreadable"]) == (
        1.0,
        0.72,
        0.28,
    )
    assert {loss["name"] for loss in change["losses"]} == {"hour_of_day", "risk"}
    assert evidence["reading"] == [
        "840 of 3,000 events (28.0%) have a features_json that does not hold a JSON object. "
        "They were read without it."
    ]
    for said in (
        "Input, then and now",
        "with features that cannot be read",
        "28.0",
        "Labels by alert",
    ):
        assert said in report


def test_labels_of_alerts_alone_are_inconclusive(separable_world: World) -> None:
    world = separable_world
    train(world, "run-1", scaling="None")
    model = world.model["hst"]  # whose weight is 1
    scores = {
        moment: model.score_one(features)
        for moment, features in world.sql("SELECT timestamp, features_json FROM scored_events")
    }
    threshold = sorted(scores.values())[-150]
    alerts = [moment for moment, score in scores.items() if score > threshold]
    settings = {"threshold": threshold, "hold_out_anomalies": 2}
    assert train(world, "run-2", dry_run=True, **settings).result.reason != "labels_follow_alerts"
    world.sql("UPDATE scored_events SET anomaly_label = NULL WHERE NOT timestamp = ANY(%s)", alerts)
    run = train(world, "run-3", **settings)
    assert verdict(run) == ("Inconclusive", "labels_follow_alerts", False), run.log
    assert "Label a random sample of the events without an alert" in run.result.message
    [[labels]] = world.sql("SELECT evidence->'labels' FROM retraining_runs WHERE run_id = 'run-3'")
    assert labels["unflagged_labelled"] == 0 < labels["flagged_labelled"] == labels["flagged"]
