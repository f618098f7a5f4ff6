"""The audit writer with a real database, in any state and with any failure."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from pydantic import SecretStr

from retraining_job.audit.migrations import migrate
from retraining_operator.audit.connection import AuditUnavailableError
from retraining_operator.audit.writer import AuditWriter, find_recorded_records
from tests.system.endpoints import at

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Sql = Callable[..., list[tuple[Any, ...]]]


def row(run: str = "r", **fields: Any) -> dict[str, Any]:
    outcome = {
        "verdict": None,
        "promoted": False,
        "withheld": None,
        "reason": "OutOfMemory",
        "message": "Too large.",
    }
    rest = dict.fromkeys(
        ("version", "champion_version", "n_samples", "window_first", "window_last")
    )
    about = {
        "run_id": run,
        "request": f"fraud/{run}",
        "trigger_reason": "drift",
        "preset": "recommended",
    }
    times = {"started_at": NOW.isoformat(), "finished_at": NOW.isoformat()}
    return {
        **about,
        **outcome,
        **rest,
        **times,
        "log_tail": "The end.",
        "is_answered": False,
        **fields,
    }


@pytest.fixture
def sql(database_url: str) -> Iterator[Sql]:
    with closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True

        def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def url(database_url: str) -> SecretStr:
    """A database as the migration leaves it."""
    migrate(SecretStr(database_url), "scored_events")
    return SecretStr(database_url)


def outcomes(sql: Sql) -> list[tuple[Any, ...]]:
    return sql(
        "SELECT run_id, verdict, reason, message, log_tail FROM retraining_runs ORDER BY run_id"
    )


async def test_failure_gets_its_row_and_writing_it_again_changes_nothing(
    url: SecretStr, sql: Sql
) -> None:
    writer = AuditWriter(url)
    for _ in range(2):
        answer = await writer.record(row())
        assert (answer.status, answer.reason) == ("True", "Recorded")
    assert outcomes(sql) == [("r", None, "OutOfMemory", "Too large.", "The end.")]
    assert sql("SELECT request, started_at FROM retraining_runs") == [("fraud/r", NOW)]


async def test_trainer_s_verdict_stays_and_gets_the_end_of_the_log(
    url: SecretStr, sql: Sql
) -> None:
    sql(
        "INSERT INTO retraining_runs (run_id, verdict, reason, message, version, started_at,"
        " finished_at)"
        " VALUES ('r', 'Promoted', 'superior', 'Better.', 3, now(), now())"
    )
    await AuditWriter(url).record(row(reason="DeadlineExceeded", message="Late."))
    assert outcomes(sql) == [("r", "Promoted", "superior", "Better.", "The end.")]
    assert sql("SELECT version FROM retraining_runs") == [(3,)]


async def test_outcome_of_the_run_replaces_the_row_of_an_attempt(url: SecretStr, sql: Sql) -> None:
    sql(
        "INSERT INTO retraining_runs (run_id, reason, message, n_samples, started_at, finished_at)"
        " VALUES ('r', 'announced', 'About to publish.', 600, now(), now())"
    )
    await AuditWriter(url).record(row())
    assert outcomes(sql) == [("r", None, "OutOfMemory", "Too large.", "The end.")]
    assert sql("SELECT n_samples FROM retraining_runs") == [(600,)]


@pytest.mark.parametrize(
    "withheld", ["AwaitingApproval", None], ids=["undecided", "decided by the trainer"]
)
async def test_failed_approval_changes_only_an_undecided_row(
    url: SecretStr, sql: Sql, withheld: str | None
) -> None:
    sql(
        "INSERT INTO retraining_runs (run_id, verdict, withheld, reason, message, started_at,"
        " finished_at)"
        " VALUES ('r', 'Promoted', %s, 'superior', 'Better.', now(), now())",
        withheld,
    )
    await AuditWriter(url).record(row(verdict="Promoted", is_answered=True))
    assert sql("SELECT verdict, withheld, reason FROM retraining_runs") == [
        ("Promoted", None, "OutOfMemory" if withheld else "superior")
    ]


async def test_message_about_a_missing_table_says_how_to_create_it(database_url: str) -> None:
    answer = await AuditWriter(SecretStr(database_url)).record(row())
    assert (answer.status, answer.reason) == ("False", "NotMigrated")
    assert "python -m retraining_job migrate" in answer.message


async def test_table_of_an_older_migration_gets_the_columns_that_it_has(
    url: SecretStr, sql: Sql
) -> None:
    sql(
        "ALTER TABLE retraining_runs DROP COLUMN log_tail, DROP COLUMN withheld, DROP COLUMN"
        " promoted"
    )
    answer = await AuditWriter(url).record(row())
    assert answer.status == "True"
    assert "the column log_tail" in answer.message
    assert sql("SELECT run_id, reason FROM retraining_runs") == [("r", "OutOfMemory")]


async def test_refused_row_delays_no_other_row(url: SecretStr, sql: Sql) -> None:
    sql("ALTER TABLE retraining_runs ADD CONSTRAINT never CHECK (reason <> 'Odd')")
    writer = AuditWriter(url)
    answers = await asyncio.gather(
        *(writer.record(row(name, reason=name)) for name in ("A", "Odd", "B"))
    )
    assert [answer.reason for answer in answers] == ["Recorded", "RecordRefused", "Recorded"]
    assert "never" in answers[1].message
    assert writer.backoff_seconds == 0


async def test_rows_that_wait_together_are_written_together(url: SecretStr, sql: Sql) -> None:
    writer = AuditWriter(url)
    sql("CREATE TABLE connections (pid int)")
    sql(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO connections VALUES (pg_backend_pid()); RETURN NEW; END'"
    )
    sql("CREATE TRIGGER note BEFORE INSERT ON retraining_runs FOR EACH ROW EXECUTE FUNCTION note()")
    answers = await asyncio.gather(*(writer.record(row(f"run-{number}")) for number in range(50)))
    assert {answer.reason for answer in answers} == {"Recorded"}
    assert sql("SELECT count(*), count(DISTINCT pid) <= 2 FROM connections") == [(50, True)]


async def test_unavailable_database_is_tried_again_after_a_backoff(
    url: SecretStr, sql: Sql
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        writer = AuditWriter(
            SecretStr(at(url.get_secret_value(), address=f"127.0.0.1:{nobody.getsockname()[1]}"))
        )
        answer = await writer.record(row())
    assert (answer.status, answer.reason) == ("False", "DatabaseUnavailable")
    assert "Connection refused" in answer.message
    assert writer.backoff_seconds > 0
    writer._url = url  # it is back, and still left alone
    assert (await writer.record(row())).reason == "DatabaseUnavailable"
    await asyncio.sleep(writer.backoff_seconds)
    assert (await writer.record(row())).reason == "Recorded"
    assert len(outcomes(sql)) == 1


async def test_silent_database_does_not_block_the_event_loop(url: SecretStr) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and says nothing
        writer = AuditWriter(
            SecretStr(at(url.get_secret_value(), address=f"127.0.0.1:{silent.getsockname()[1]}"))
        )
        asked = asyncio.create_task(writer.record(row()))
        await asyncio.sleep(0)
        turns = 0
        while not asked.done():  # others have their turns meanwhile
            await asyncio.sleep(0.1)
            turns += 1
        assert turns > 5
        assert (await asked).reason == "DatabaseUnavailable"
        assert (await writer.record(row("other"))).reason == "DatabaseUnavailable"


@pytest.mark.parametrize("password", ["hidden-word@x", "hidden-word"])
async def test_message_about_a_wrong_url_has_no_password(url: SecretStr, password: str) -> None:
    wrong = f"postgresql://nobody:{password}@{url.get_secret_value().rpartition('@')[2]}"
    answer = await AuditWriter(SecretStr(wrong)).record(row())
    assert answer.reason == "RecordRefused"
    assert "hidden" not in answer.message


async def test_operator_without_a_database_reports_it() -> None:
    assert (await AuditWriter(None).record(row())).reason == "NoDatabase"


async def test_runs_that_have_ended_are_known(url: SecretStr) -> None:
    writer = AuditWriter(url)
    await writer.record(row("ended", record_key="key-of-ended"))
    await writer.record(row("announced", reason="announced", record_key="key-of-announced"))
    await writer.record(row("by-hand"))
    asked = ["key-of-ended", "key-of-announced", "key-of-another", "by-hand", "fraud/by-hand"]
    assert await find_recorded_records(url, asked) == {"key-of-ended"}


async def test_record_is_added_to_the_row_of_a_verdict(url: SecretStr, sql: Sql) -> None:
    sql(
        "INSERT INTO retraining_runs (run_id, verdict, reason, message, started_at, finished_at)"
        " VALUES ('r', 'Kept', 'inferior', 'Worse.', now(), now())"
    )
    assert (await AuditWriter(url).record(row(record_key="key"))).status == "True"
    assert sql("SELECT verdict, message, record_key FROM retraining_runs") == [
        ("Kept", "Worse.", "key")
    ]
    assert await find_recorded_records(url, ["key"]) == {"key"}


async def test_database_without_the_column_of_records_is_an_error(url: SecretStr, sql: Sql) -> None:
    sql("ALTER TABLE retraining_runs DROP COLUMN record_key")
    answer = await AuditWriter(url).record(row(record_key="key"))
    assert (answer.status, "record_key" in answer.message) == ("True", True)
    with pytest.raises(AuditUnavailableError, match=r"record_key.*database-and-redis"):
        await find_recorded_records(url, ["key"])


async def test_database_without_the_table_is_an_error(database_url: str) -> None:
    with pytest.raises(AuditUnavailableError, match='"retraining_runs" does not exist'):
        await find_recorded_records(SecretStr(database_url), ["key"])


async def test_verdict_is_read_from_the_row_with_its_reason(url: SecretStr, sql: Sql) -> None:
    writer = AuditWriter(url)
    assert await writer.read_verdict("r") is None
    sql(
        "INSERT INTO retraining_runs (run_id, reason, message, started_at, finished_at)"
        " VALUES ('r', 'announced', 'About to publish.', now(), now())"
    )
    assert await writer.read_verdict("r") is None
    sql(
        "UPDATE retraining_runs SET verdict = 'Promoted', reason = 'not_inferior', version = 7,"
        " n_samples = 600,"
        " window_first = now(), window_last = now(), metrics = %s",
        '{"challenger": {"combined": {"average_precision": 0.5}}}',
    )
    found = await writer.read_verdict("r")
    assert found
    assert (found.verdict, found.promoted, found.version, found.reason) == (
        "Promoted",
        True,
        7,
        "not_inferior",
    )
    assert found.window
    assert found.window.rows == 600
    assert found.metrics
    assert found.metrics.challenger.combined
    assert found.metrics.challenger.combined.average_precision == 0.5


async def test_unavailable_database_has_no_verdict() -> None:
    assert await AuditWriter(None).read_verdict("r") is None
    assert await AuditWriter(SecretStr("postgresql://localhost:1/none")).read_verdict("r") is None
