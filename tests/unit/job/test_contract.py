"""The contract with the operator, and what its import costs."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from retraining_job.contract import (
    RESULT_LIMIT_BYTES,
    ContenderMetrics,
    Contenders,
    PartMetrics,
    Result,
    Verdict,
    VerdictReason,
    Window,
    Withheld,
    environment_name,
    read_result,
    read_row,
    value_name,
)

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def result(message: str) -> Result:
    return Result(
        run_id="r" * 128,
        verdict=Verdict.PROMOTED,
        promoted=True,
        reason=VerdictReason.EQUAL_PRECISION,
        message=message,
        n_samples=50_000,
        version=12,
        champion_version=11,
        window=Window(first=NOW, last=NOW, rows=50_000),
        metrics=Contenders(
            challenger=ContenderMetrics(precision=1 / 3), champion=ContenderMetrics(precision=1 / 3)
        ),
        started_at=NOW,
        finished_at=NOW,
    )


def test_document_is_parsed_as_it_was_written() -> None:
    assert read_result(result("A sentence.").document()) == result("A sentence.")


def test_document_fits_the_termination_message_whatever_the_message_says() -> None:
    document = result('"\N{SNOWMAN}' * 100_000).document()
    assert len(document.encode()) <= RESULT_LIMIT_BYTES
    again = read_result(document)
    assert again is not None
    assert again.metrics == result("").metrics


@pytest.mark.parametrize(
    ("reason", "promoted", "verdict"),
    [
        ("no_champion", True, Verdict.FIRST_MODEL),
        ("no_champion", False, Verdict.FIRST_MODEL),
        ("expired", False, Verdict.FIRST_MODEL),
        ("below_floor", False, Verdict.UNFIT),
        ("unusable_scores", False, Verdict.UNFIT),
    ],
)
def test_verdict_of_an_earlier_trainer_on_a_first_model_is_read(
    reason: str, promoted: bool, verdict: Verdict
) -> None:
    old = json.loads(result("").document()) | {
        "verdict": "NoChampion",
        "reason": reason,
        "promoted": promoted,
    }
    read = read_result(json.dumps(old))
    assert read is not None
    assert (read.verdict, read.reason, read.promoted) == (verdict, reason, promoted)
    row = {
        **old,
        "window_first": None,
        "window_last": None,
        "version": 3 if promoted else None,
        "metrics": None,
    }
    assert read_row(row).verdict == verdict


def test_failure_reason_of_an_earlier_trainer_is_read() -> None:
    old = json.loads(result("").document()) | {"verdict": None, "reason": "DependencyAway"}
    read = read_result(json.dumps(old))
    assert read is not None
    assert read.reason == "DependencyUnavailable"


def test_result_document_of_an_earlier_trainer_is_read() -> None:
    precisions = {"mixture": {"average_precision": 0.5}}
    old = json.loads(result("").document()) | {
        "figures": {"challenger": precisions},
        "withheld": "AwaitingDecision",
    }
    del old["metrics"]
    read = read_result(json.dumps(old))
    assert read is not None
    assert read.metrics is not None
    assert read.metrics.challenger.combined == PartMetrics(average_precision=0.5)
    assert read.withheld is Withheld.AWAITING_APPROVAL


def test_output_of_a_killed_container_is_no_document() -> None:
    assert read_result("") is None
    assert read_result("Traceback (most recent call last):") is None


def test_settings_have_a_name_in_the_environment_and_one_in_the_chart() -> None:
    assert environment_name("minimum_rows") == "RETRAIN_MINIMUM_ROWS"
    assert value_name("minimum_rows") == "trainer.minimumRows"


def imported(module: str) -> set[str]:
    """Name the packages that a fresh interpreter has loaded after an import."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
    )


@pytest.mark.slow
def test_each_part_loads_only_what_it_needs() -> None:
    heavy = {"river", "numpy", "scipy", "psycopg2", "redis", "pythonjsonlogger"}
    assert not imported("retraining_job.contract") & (
        heavy | {"pydantic_settings", "tenacity", "asyncio"}
    )
    assert not imported("retraining_job.__main__") & heavy
    assert imported("retraining_job.audit.migrations") & heavy == {"psycopg2"}
    assert imported("retraining_job.runs.train") & heavy == {"psycopg2", "redis"}
