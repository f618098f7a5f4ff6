"""The table `retraining_runs`, which trainer and operator write by one declaration."""

import re
from datetime import UTC, datetime

from retraining_job.audit.outcome import RunOutcome
from retraining_job.audit.rows import build_outcome_columns
from retraining_job.contract import (
    ADDED_COLUMNS,
    CREATE_RUN_TABLE,
    RUN_COLUMNS,
    Result,
    operator_upsert,
    trainer_upsert,
    writable_names,
)

NAMES = [column.name for column in RUN_COLUMNS]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_table_has_each_column_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    later = {column.name for column in ADDED_COLUMNS}
    for name in NAMES:
        assert bool(re.search(rf"\b{name} [A-Z]", CREATE_RUN_TABLE)) is (name not in later)


def test_each_value_of_an_outcome_has_a_column() -> None:
    result = Result(run_id="r", reason="superior", message="", started_at=NOW, finished_at=NOW)
    row = build_outcome_columns(RunOutcome(result, None, "<html>", "somebody", 3))
    assert set(writable_names(row, NAMES)) == set(row)


def test_columns_that_a_table_lacks_are_left_out() -> None:
    assert writable_names({"verdict": None, "report": "", "is_answered": True}, {"verdict"}) == [
        "verdict"
    ]


def test_trainer_replaces_what_is_stored_unless_it_is_a_verdict() -> None:
    assert trainer_upsert(["run_id", "verdict", "withheld"]) == (
        "INSERT INTO retraining_runs AS stored (run_id, verdict, withheld) "
        "VALUES (%(run_id)s, %(verdict)s, %(withheld)s) ON CONFLICT (run_id) DO UPDATE SET "
        "run_id = EXCLUDED.run_id, verdict = EXCLUDED.verdict, withheld = EXCLUDED.withheld "
        "WHERE stored.verdict IS NULL OR stored.version IS NULL AND EXCLUDED.version IS NOT NULL "
        "OR stored.withheld IN ('AwaitingApproval', 'AwaitingDecision') "
        "AND EXCLUDED.verdict IS NOT NULL"
    )


def test_operator_never_replaces_a_verdict() -> None:
    assert operator_upsert(["run_id", "verdict", "reason", "version"]) == (
        "INSERT INTO retraining_runs AS stored (run_id, verdict, reason, version) "
        "VALUES (%(run_id)s, %(verdict)s, %(reason)s, %(version)s) ON CONFLICT (run_id) DO UPDATE "
        "SET reason = EXCLUDED.reason, version = coalesce(EXCLUDED.version, stored.version) "
        "WHERE stored.verdict IS NULL"
    )
    assert operator_upsert(["run_id", "withheld"]).endswith(
        "WHERE stored.verdict IS NULL OR "
        "stored.withheld IN ('AwaitingApproval', 'AwaitingDecision') AND %(is_answered)s"
    )
