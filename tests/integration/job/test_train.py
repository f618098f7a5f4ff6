"""One retrain after another, against real Redis and PostgreSQL."""

import json
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.contract import ExitCode
from retraining_job.deviation import StandardAbsoluteDeviation
from tests.integration.job.world import World


def untrained() -> bytes:
    """Return a champion without any training, which flags nothing."""
    return pickle.dumps({"hst": HalfSpaceTrees(), "sad": StandardAbsoluteDeviation()})


def test_first_run_promotes_and_writes_a_row_as_the_old_service_did(world: World) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    run = world.train()
    assert run.code == 0, run.log
    assert (run.result.verdict, run.result.reason, run.result.promoted) == (
        "Promoted",
        "no_champion",
        True,
    )
    assert (run.result.version, run.result.n_samples) == (1, 600)
    assert world.version == b"1"
    assert run.result.metrics
    assert run.result.metrics.challenger
    precision = run.result.metrics.challenger.precision
    assert precision is not None
    assert world.versions == [(1, "drift_detected", round(precision, 4), 600)]
    [(trained_at,)] = world.sql("SELECT trained_at FROM model_versions")
    assert before <= trained_at <= datetime.now(UTC)
    assert world.runs == [("run-1", "Promoted", "no_champion", 1)]
    assert run.result.window
    assert (run.result.window.first, run.result.window.rows) == (
        datetime(2025, 1, 1, tzinfo=UTC),
        600,
    )


def test_live_model_is_what_a_reader_expects(world: World) -> None:
    world.train()
    model = world.model
    assert set(model) == {"hst", "sad"}
    assert type(model["hst"]) is HalfSpaceTrees
    event = {"amount": 0.5, "hour_of_day": 3.0}
    assert 0 < model["hst"].score_one(event) <= 1
    assert 0 <= model["sad"].score_one(event) <= 1
    model["hst"].learn_one(event)
    assert world.redis.ttl(world.model_key) == -1, "a model must not vanish"
    assert world.redis.ttl(world.version_key) == -1
    assert not world.staged


def test_tie_goes_to_the_challenger(world: World) -> None:
    world.train("run-1")
    run = world.train("run-2")
    assert (run.result.verdict, run.result.reason) == ("Promoted", "equal_precision")
    assert (run.result.champion_version, run.result.version) == (1, 2)
    assert [row[0] for row in world.versions] == [1, 2]


def test_worse_challenger_does_not_go_live(bare_world: World) -> None:
    world = bare_world
    world.migrate()
    world.seed(600, label=lambda _: 0)
    champion = untrained()
    world.put_champion(champion, b"41")
    run = world.train(threshold=0.01)
    assert run.code == 0, run.log
    assert (run.result.verdict, run.result.reason) == ("Kept", "lower_precision")
    metrics = run.result.metrics
    assert metrics
    assert metrics.champion
    assert metrics.challenger
    assert metrics.champion.precision == 1.0
    assert metrics.challenger.precision is not None
    assert metrics.challenger.precision < 1.0
    assert world.version == b"41"
    assert world.redis.get(world.model_key) == champion
    assert world.versions == []
    assert world.runs == [("run-1", "Kept", "lower_precision", None)]


def test_better_challenger_follows_the_champions_version(bare_world: World) -> None:
    world = bare_world
    world.migrate()
    world.seed(600, label=lambda _: 1)
    world.put_champion(untrained(), b"41")
    run = world.train(threshold=0.01)
    assert (run.result.verdict, run.result.reason, run.result.version) == (
        "Promoted",
        "higher_precision",
        42,
    )
    assert world.version == b"42"


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [(0, "InsufficientData"), (499, "InsufficientData"), (500, "Promoted"), (600, "Promoted")],
)
def test_guard_on_the_number_of_rows(bare_world: World, rows: int, verdict: str) -> None:
    world = bare_world
    world.migrate()
    if rows:
        world.seed(rows)
    run = world.train()
    assert run.code == 0, run.log
    assert (run.result.verdict, run.result.n_samples) == (verdict, rows)
    if verdict == "InsufficientData":
        assert (run.result.promoted, run.result.reason) == (False, "insufficient_data")
        assert world.model is None
        assert world.versions == []
        assert world.runs == [("run-1", "InsufficientData", "insufficient_data", None)]
    if not rows:
        assert "Check what writes them." in run.log


def test_newest_rows_are_the_ones_read(world: World) -> None:
    run = world.train(rows=550)
    assert run.result.n_samples == 550
    [(newest,)] = world.sql("SELECT max(timestamp) FROM scored_events")
    assert run.result.window
    assert run.result.window.last == newest
    assert run.result.window.first == datetime(2025, 1, 1, 0, 50, tzinfo=UTC)
    assert (
        "Read 550 events from scored_events, from 2025-01-01 00:50 to 2025-01-01 09:59." in run.log
    )


@pytest.mark.parametrize("column", ["jsonb", "json", "text"])
def test_features_column_may_have_any_json_type(world: World, column: str) -> None:
    world.sql(
        f"ALTER TABLE scored_events ALTER features_json TYPE {column} USING"
        f" features_json::text::{column}"
    )
    world.train()
    assert set(world.model["hst"].limits) == {"amount", "hour_of_day"}


def test_values_that_are_no_numbers_do_not_fail_the_run(world: World) -> None:
    world.sql("ALTER TABLE scored_events ALTER features_json TYPE text")
    odd = (
        '{"amount": NaN, "hour_of_day": -Infinity, "text": "x", "list": [1], "null": null,'
        ' "big": 1e999}'
    )
    for offset, text in enumerate([odd, "no json at all", "null", "[]", "", None]):
        world.sql(
            "UPDATE scored_events SET features_json = %s, amount = 'NaN', anomaly_label = NULL"
            " WHERE timestamp = %s",
            text,
            datetime(2025, 1, 1, 9, 30 + offset, tzinfo=UTC),
        )
    run = world.train()
    assert (run.code, run.result.n_samples) == (0, 600), run.log
    assert 0 <= world.model["sad"].score_one({"amount": 1.0}) <= 1


def test_events_may_come_from_a_view_in_another_schema(world: World) -> None:
    world.sql(
        "CREATE SCHEMA fraud; ALTER TABLE scored_events RENAME TO raw;"
        'CREATE VIEW fraud.events AS SELECT "timestamp"::timestamp, amount::numeric(12, 2),'
        " anomaly_score, is_anomaly,"
        "  anomaly_label = 1 AS anomaly_label, amount_vs_user_avg, NULL::text AS features_json"
        " FROM raw"
    )
    run = world.train(events_table="fraud.events")
    assert run.code == 0, run.log
    assert len(world.model["hst"].limits) == 11
    assert run.result.window
    assert run.result.window.first == datetime(2025, 1, 1, tzinfo=UTC)


def test_pickle_names_the_reader_s_deviation_class(world: World) -> None:
    first = world.train("run-1", deviation_class="scoring.models.Deviation")
    assert first.code == 0, first.log
    blob = world.redis.get(world.model_key)
    assert b"scoring.models" in blob
    assert b"retraining_job" not in blob
    second = world.train("run-2", deviation_class="scoring.models.Deviation")
    assert (second.result.verdict, second.result.version) == ("Promoted", 2)


def test_version_without_a_model_is_incremented(world: World) -> None:
    world.redis.set(world.version_key, 7)
    run = world.train()
    assert (run.result.reason, run.result.version) == ("no_champion", 8)


def test_log_may_be_json_lines(world: World) -> None:
    run = world.train(log_format="json")
    lines = [json.loads(line) for line in run.log.splitlines()]
    assert all({"time", "level", "message", "run_id", "request"} <= set(line) for line in lines)


def test_program_starts_as_the_image_starts_it(world: World) -> None:
    """The only test that uses `python -m`. The others save the time to import river."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "DATABASE_URL": world.database_url,
        "REDIS_URL": world.redis_url,
        "RETRAIN_RUN_ID": "run-1",
        "RETRAIN_MODEL_KEY": world.model_key,
        "RETRAIN_VERSION_KEY": world.version_key,
        "RETRAIN_FOREST_HEIGHT": "5",
        "RETRAIN_TERMINATION_LOG": "/nowhere",
    }
    done = subprocess.run(
        [sys.executable, "-m", "retraining_job"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.VERDICT, done.stderr
    assert 'Result: {"run_id":"run-1","verdict":"Unfit"' in done.stderr.splitlines()[-1]
