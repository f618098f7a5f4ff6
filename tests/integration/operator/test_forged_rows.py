"""What the operator does with rows that no trainer has written."""

from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from retraining_operator.audit.writer import AuditWriter, find_recorded_records
from tests.integration.operator.test_audit_writer import Sql, sql, url  # noqa: F401

LARGE = 100_000_000


def insert(sql: Sql, reason: str = "inferior", day: int = 1) -> None:
    sql(
        "INSERT INTO retraining_runs (run_id, request, verdict, reason, message, started_at,"
        " finished_at) VALUES ('r', 'fraud/r', 'Kept', %s, 'Worse.', now(), %s)",
        reason,
        f"2026-01-0{day}",
    )


@pytest.mark.parametrize(
    "change",
    [
        "verdict = 'NoSuchVerdict'",
        "version = 999999999999999999",
        "version = -1",
        "started_at = 'infinity'",
        "finished_at = '0044-03-15 BC'",
        "finished_at = '99999-01-01'",
        "reason = 'two words'",
        "withheld = 'NoSuchWord'",
    ],
)
async def test_row_that_no_trainer_has_written_is_one_line_in_the_log(
    url: SecretStr, sql: Sql, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    insert(sql)
    sql(f"UPDATE retraining_runs SET {change}")  # noqa: S608  # from the list above
    with caplog.at_level(logging.WARNING):
        assert await AuditWriter(url).read_verdict("r") is None
    [record] = caplog.records
    assert "cannot be read" in record.getMessage()
    assert record.exc_info is None
    for value in ("NoSuch", "99999", "infinity", "two words"):
        assert value not in record.getMessage()


@pytest.mark.parametrize("column", ["message", "report", "log_tail", "trigger_reason"])
async def test_text_of_100_megabytes_is_not_loaded(url: SecretStr, sql: Sql, column: str) -> None:
    insert(sql)
    sql(f"UPDATE retraining_runs SET {column} = repeat('x', {LARGE})")  # noqa: S608
    found = await AuditWriter(url).read_verdict("r")
    assert found
    assert len(found.message) < 20_000


async def test_table_that_is_a_view_with_side_effects_changes_nothing(
    url: SecretStr, sql: Sql
) -> None:
    insert(sql)
    sql("CREATE TABLE traces (number integer)")
    sql(
        "CREATE FUNCTION act() RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO traces VALUES (1); RETURN true; END $$"
    )
    sql("ALTER TABLE retraining_runs RENAME TO behind")
    sql("CREATE VIEW retraining_runs AS SELECT * FROM behind WHERE (SELECT act())")
    writer = AuditWriter(url)
    assert await writer.read_verdict("r") is None
    with pytest.raises(Exception, match="read-only"):
        await find_recorded_records(url, ["key"])
    assert sql("SELECT count(*) FROM traces") == [(0,)]


async def test_duplicate_rows_are_the_newest_verdict(url: SecretStr, sql: Sql) -> None:
    sql("ALTER TABLE retraining_runs DROP CONSTRAINT retraining_runs_pkey")
    for day, reason in ((1, "superior"), (3, "inferior"), (2, "not_superior")):
        insert(sql, reason, day)
    found = await AuditWriter(url).read_verdict("r")
    assert found
    assert found.reason == "inferior"
