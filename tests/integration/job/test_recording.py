"""Rows that the audit tables refuse fail before publishing. A backfill never fails another run."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest

from retraining_job.audit.runs import AUDIT_LOCK
from tests.integration.job.test_failures import with_password
from tests.integration.job.trainers import TrainerProcess
from tests.integration.job.world import RECOMMENDED, World
from tests.system.endpoints import at

CHECK = (
    "ALTER TABLE model_versions ADD CONSTRAINT known_reasons CHECK (trigger_reason IN"
    " ('manual', 'weekly'))"
)
DOMAIN = "CREATE DOMAIN reason AS text CHECK (VALUE IN ('manual', 'weekly'))"
RAISE = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
    " 'not on Sundays'; END $$"
)
DROP = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
TRIGGER = (
    "CREATE TRIGGER refuse BEFORE INSERT ON model_versions FOR EACH ROW EXECUTE FUNCTION refuse()"
)

REFUSALS = {
    "a check": ([CHECK], ["known_reasons", 'trigger_reason = "drift_detected"', "23514"]),
    "a domain": (
        [DOMAIN, "ALTER TABLE model_versions ALTER trigger_reason TYPE reason"],
        ["reason_check", 'trigger_reason = "drift_detected"', "23514"],
    ),
    "an enum": (
        ["CREATE TYPE reasons AS ENUM ('manual')",
         "ALTER TABLE model_versions ALTER trigger_reason TYPE reasons"
         " USING trigger_reason::reasons"],
        ['trigger_reason = "drift_detected"', "22P02"],
    ),
    "a column without a default": (["ALTER TABLE model_versions ADD author text NOT NULL"],
    ["author = null", "23502"]),
    "a generated column": (
        ["ALTER TABLE model_versions DROP trigger_reason",
         "ALTER TABLE model_versions ADD trigger_reason text GENERATED ALWAYS AS ('x') STORED"],
        ["trigger_reason", "428C9"],
    ),
    "a number too small for it": (
        ["ALTER TABLE model_versions ALTER n_samples TYPE numeric(2, 0)"],
         ['n_samples = "600"', "22003"],
    ),
    "a number where the reason should be": (
        ["ALTER TABLE model_versions ALTER trigger_reason TYPE integer USING 1"],
        ['trigger_reason = "drift_detected" (a column of type integer)', "22P02"],
    ),
    "a trigger": ([RAISE, TRIGGER], ["not on Sundays", "P0001"]),
    "a trigger that drops the row": ([DROP, TRIGGER], ["does not store the row", "a trigger"]),
    "a rule that drops the row": (
        ["CREATE RULE none AS ON INSERT TO model_versions DO INSTEAD NOTHING"],
         ["does not store the row", "a rule"],
    ),
    "a unique reason": (
        ["ALTER TABLE model_versions ADD CONSTRAINT once UNIQUE (trigger_reason)",
         "INSERT INTO model_versions VALUES (0, now(), 'drift_detected', 0.5, 1)"],
        ["once", 'trigger_reason = "drift_detected"', "23505"],
    ),
    "a check that waits for the end": (
        ["CREATE TABLE reasons (reason text PRIMARY KEY)",
         "ALTER TABLE model_versions ADD CONSTRAINT listed FOREIGN KEY (trigger_reason)"
         " REFERENCES reasons"
         " DEFERRABLE INITIALLY DEFERRED"],
        ["listed", 'trigger_reason = "drift_detected"', "23503"],
    ),
    "a partitioned table without a partition for it": (
        ["DROP TABLE model_versions",
         "CREATE TABLE model_versions (version int, trained_at timestamptz, trigger_reason text,"
         " precision_score float8, n_samples int, run_id text) PARTITION BY LIST (trigger_reason)"],
        ["model_versions", "drift_detected", "23514"],
    ),
    "a view that cannot be written": (
        ["ALTER TABLE model_versions RENAME TO versions",
         "CREATE VIEW model_versions AS SELECT DISTINCT * FROM versions"],
        ["model_versions", "55000"],
    ),
    "a view with a check option": (
        ["ALTER TABLE model_versions RENAME TO versions",
         "CREATE VIEW model_versions AS SELECT * FROM versions WHERE trigger_reason <>"
         " 'drift_detected'"
         " WITH CHECK OPTION"],
        ["model_versions", "44000"],
    ),
    "the run's own table": (
        ["ALTER TABLE retraining_runs ADD CONSTRAINT never CHECK (verdict <> 'Promoted')"],
        ["The table retraining_runs", "never", 'verdict = "Promoted"'],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=REFUSALS.keys())
def test_row_that_the_table_refuses_keeps_the_model_from_going_live(
    world: World, case: str
) -> None:
    statements, message = REFUSALS[case]
    for statement in statements:
        world.sql(statement)
    run = world.train()
    assert (run.code, run.result.reason, run.result.promoted) == (78, "BadConfiguration", False), (
        run.log
    )
    assert [
        text for text in [*message, "Nothing was published"] if text not in run.result.message
    ] == []
    assert "Correct the events" not in run.result.message
    assert (world.version, world.model) == (None, None)


@pytest.mark.parametrize("rights", ["SELECT", "INSERT"])
def test_right_that_is_missing_keeps_the_model_from_going_live(
    world: World, rights: Sequence[str]
) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    world.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    world.sql(
        f"GRANT ALL ON scored_events, retraining_runs TO {user}; GRANT {rights} ON"
        f" model_versions TO {user}"
    )
    try:
        environment = {"DATABASE_URL": with_password(world.database_url, password, user)}
        run = world.start(environment=environment).wait()
    finally:
        world.sql(f"DROP OWNED BY {user}; DROP ROLE {user}")
    assert (run.code, run.result.reason, world.version) == (78, "BadConfiguration", None), run.log
    assert "42501" in run.result.message
    assert "model_versions" in run.result.message


def test_row_level_security_that_refuses_the_row_keeps_the_model_from_going_live(
    world: World,
) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    world.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    world.sql(f"GRANT ALL ON scored_events, retraining_runs, model_versions TO {user}")
    world.sql("ALTER TABLE model_versions ENABLE ROW LEVEL SECURITY")
    world.sql(
        "CREATE POLICY theirs ON model_versions USING (true) WITH CHECK (trigger_reason = 'manual')"
    )
    try:
        environment = {"DATABASE_URL": with_password(world.database_url, password, user)}
        run = world.start(environment=environment).wait()
    finally:
        world.sql(f"DROP OWNED BY {user}; DROP ROLE {user}")
    assert (run.code, run.result.reason, world.version) == (78, "BadConfiguration", None), run.log
    assert "row-level security" in run.result.message


@pytest.mark.parametrize("kind", ["char(16)", "varchar(16)", "short_text"])
def test_reason_is_cut_to_what_the_column_takes(world: World, kind: str) -> None:
    world.sql("CREATE DOMAIN short_text AS varchar(16)")
    world.sql(f"ALTER TABLE model_versions ALTER trigger_reason TYPE {kind}")
    run = world.train(reason="a reason that is longer than that")
    assert run.result.verdict == "Promoted", run.log
    assert world.sql("SELECT trigger_reason::text FROM model_versions") == [("a reason that is",)]


@contextmanager
def published_without_its_row(
    world: World, run_id: str, **settings: Any
) -> Iterator[TrainerProcess]:
    """A run that has published and waits to write its rows."""
    with world.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        run = world.start(run_id, **settings)
        run.wait_for("Published the challenger")
        yield run


def test_missing_row_fails_no_later_run_and_is_backfilled_when_possible(world: World) -> None:
    with published_without_its_row(world, "debtor", reason="alert", forest_seed=1) as run:
        world.sql(
            "ALTER TABLE model_versions ADD CONSTRAINT never CHECK (trigger_reason <> 'alert')"
            " NOT VALID"
        )
    assert (run.wait().code, run.result.reason, run.result.version) == (76, "AuditPending", 1), (
        run.log
    )
    assert 'trigger_reason = "alert"' in run.result.message
    for number in (2, 3):
        # Another seed, because an equal model would replace its older version in the history.
        later = world.train(f"run-{number}", forest_seed=number)
        assert (later.code, later.result.verdict, later.result.version) == (
            0,
            "Promoted",
            number,
        ), later.log
        assert "Version 1 of run debtor still has no row in model_versions" in later.log
    assert [row[:2] for row in world.versions] == [(2, "drift_detected"), (3, "drift_detected")]
    world.sql("ALTER TABLE model_versions DROP CONSTRAINT never")
    last = world.train("run-4")
    assert "the audit row of version 1, because its run debtor ended" in last.log
    assert [row[:2] for row in world.versions][:2] == [(1, "alert"), (2, "drift_detected")]
    assert [row for row in world.runs if row[0] == "debtor"] == [
        ("debtor", "Promoted", "no_champion", 1)
    ]


def test_run_that_keeps_the_champion_backfills_a_missing_row_too(world: World) -> None:
    with published_without_its_row(world, "debtor") as run:
        run.kill()
        run.wait()
    assert world.train("kept", minimum_rows=5_000).result.verdict == "InsufficientData"
    assert [row[0] for row in world.versions] == [1]


def test_message_about_a_refused_verdict_names_the_table_and_no_event(world: World) -> None:
    world.sql("ALTER TABLE retraining_runs ADD CONSTRAINT never CHECK (verdict IS NULL)")
    run = world.train(minimum_rows=5_000)
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert "The table retraining_runs refuses the row" in run.result.message
    assert "never" in run.result.message


@pytest.fixture
def database_of(world: World, database_server_url: str) -> Iterator[Callable[[str], None]]:
    """Make a second database in another encoding, and move the world there."""
    name, first = f"test_{secrets.token_hex(6)}", world.database_url

    def run(statement: str) -> None:
        with (
            closing(psycopg2.connect(database_server_url)) as connection,
            connection.cursor() as cursor,
        ):
            connection.autocommit = True
            cursor.execute(statement)

    def make(encoding: str) -> None:
        run(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        world.database_url = f"{at(database_server_url, path=name)}?client_encoding=UTF8"
        assert world.migrate().code == 0

    yield make
    world.database_url = first
    run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP", "SQL_ASCII"])
def test_outcome_is_recorded_in_a_database_of_any_encoding(
    world: World, database_of: Callable[[str], None], encoding: str
) -> None:
    database_of(encoding)
    world.seed_separable()
    reason = "\u00dcberlauf \u53d6\u5f15 \U0001f642"
    run = world.start(**{**RECOMMENDED, "reason": reason}).wait()
    assert run.result.promoted, run.log
    [(message, has_report)] = world.sql(
        "SELECT trigger_reason, report IS NOT NULL FROM retraining_runs"
    )
    assert has_report
    kept = {
        "LATIN1": "\u00dcberlauf ?? ?",
        "EUC_JP": "\u00dcberlauf \u53d6\u5f15 ?",
        "SQL_ASCII": reason,
    }
    assert message == kept[encoding]


def test_rollback_whose_row_is_refused_changes_nothing(world: World) -> None:
    for number in (1, 2):
        world.train(f"run-{number}")
    world.sql("ALTER TABLE model_versions ADD CONSTRAINT never CHECK (version < 3)")
    run = world.start("back", ("rollback", "--to", "1")).wait()
    assert (run.code, world.version) == (78, b"2"), run.log
    assert "never" in run.log
