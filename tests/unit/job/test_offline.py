"""A retrain without any service: what it reads, writes and reports."""

import csv
import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.contract import Result
from retraining_job.errors import BadConfigurationError
from retraining_job.runs.offline import Files, train_offline
from retraining_job.settings import RunSettings
from tests.quality.stream import build_lines

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SMALL: dict[str, Any] = {
    "forest_height": 6,
    "forest_weight": 1.0,
    "deviation_weight": 0.0,
    "hold_out_anomalies": 15,
}
RAW: dict[str, Any] = {"scaling": "None", "calibration": "None"}
ROWS = 8_000


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_text("".join(f"{line}\n" for line in build_lines(3, ROWS)))
    return path


def run(events: Path, out: Path, champion: Path | None = None, **settings: Any) -> Result:
    out.mkdir(exist_ok=True)
    return train_offline(RunSettings(**SMALL, **settings), Files(events, out, champion), NOW)


def test_first_model_is_left_as_readers_expect_it(events: Path, tmp_path: Path) -> None:
    result = run(events, tmp_path)
    assert (result.verdict, result.n_samples, result.promoted) == ("FirstModel", ROWS, False)
    assert result.metrics
    assert result.metrics.champion is None
    content = pickle.loads((tmp_path / "active_model.pkl").read_bytes())  # noqa: S301
    assert type(content["hst"]) is HalfSpaceTrees
    assert 0.0 <= content["hst"].score_one({"amount": 10.0, "hour_of_day": 3.0}) <= 1.0
    assert json.loads((tmp_path / "state.json").read_text())["n_trees"] == 100
    assert "<svg" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("kind", ["active_model.pkl", "state.json"])
def test_better_challenger_is_promoted_and_a_worse_one_is_not(
    events: Path, tmp_path: Path, kind: str
) -> None:
    run(events, tmp_path / "raw", **RAW)
    won = run(events, tmp_path / "scaled", tmp_path / "raw" / kind)
    assert (won.verdict, won.reason) == ("Promoted", "not_inferior")
    lost = run(events, tmp_path / "again", tmp_path / "scaled" / kind, **RAW)
    assert lost.verdict == "Kept"
    assert won.metrics
    assert lost.metrics
    assert won.metrics.challenger == lost.metrics.champion
    same = run(events, tmp_path / "same", tmp_path / "scaled" / kind)
    assert same.verdict == "Identical"


def test_csv_and_json_lines_give_the_same_result(events: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in events.read_text().splitlines()]
    table = tmp_path / "events.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "features_json": json.dumps(row["features_json"])} for row in rows)
    results = [run(path, tmp_path / path.suffix[1:], rows=4_000) for path in (events, table)]
    assert results[0].metrics == results[1].metrics
    assert (tmp_path / "jsonl" / "active_model.pkl").read_bytes() == (
        tmp_path / "csv" / "active_model.pkl"
    ).read_bytes()


def test_too_few_events_leave_no_model_not_even_an_older_one(events: Path, tmp_path: Path) -> None:
    run(events, tmp_path)
    few = tmp_path / "few.jsonl"
    few.write_text("".join(events.read_text().splitlines(keepends=True)[:499]))
    result = run(few, tmp_path)
    assert (result.verdict, result.reason, result.n_samples) == (
        "InsufficientData",
        "insufficient_data",
        499,
    )
    assert not (tmp_path / "active_model.pkl").exists()
    assert not (tmp_path / "report.html").exists()


def test_forged_champion_is_not_run(events: Path, tmp_path: Path) -> None:
    class Forged:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "run",)

    forged = tmp_path / "forged.pkl"
    forged.write_bytes(pickle.dumps({"hst": Forged(), "sad": None}))
    result = run(events, tmp_path / "out", forged)
    assert result.verdict == "UnreadableChampion"
    assert "pathlib" in result.message
    assert not (tmp_path / "run").exists()


def test_reference_preset_evaluates_as_the_old_service_did(events: Path, tmp_path: Path) -> None:
    first = run(events, tmp_path, preset="reference")
    assert (first.verdict, first.reason) == ("Promoted", "no_champion")
    tie = run(events, tmp_path / "tie", tmp_path / "active_model.pkl", preset="reference")
    assert (tie.verdict, tie.reason) == ("Promoted", "equal_precision")


def test_missing_champion_file_is_a_wrong_setting(events: Path, tmp_path: Path) -> None:
    with pytest.raises(BadConfigurationError, match=r"nowhere\.pkl cannot be read: No such file"):
        run(events, tmp_path, tmp_path / "nowhere.pkl")


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "retraining_job", *map(str, arguments)]
    return subprocess.run(
        program, capture_output=True, text=True, check=False, env={"RETRAIN_FOREST_HEIGHT": "5"}
    )


def test_command_line_writes_its_result(events: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    ended = command("train", "--events", events, "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((out / "result.json").read_text())["verdict"] == "FirstModel"
    assert "FirstModel" in ended.stderr


def test_command_line_reports_what_is_wrong(events: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(events.read_text()[:2_000].rpartition("\n")[0] + "\nno JSON\n")
    ended = command("train", "--events", bad, "--out", tmp_path)
    assert ended.returncode == 65
    assert "bad.jsonl" in ended.stderr
    assert "line" in ended.stderr
    assert json.loads((tmp_path / "result.json").read_text())["reason"] == "BadData"
    half = command("train", "--events", bad)
    assert half.returncode == 78
    assert "--out" in half.stderr
