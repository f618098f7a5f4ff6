"""Reading reads: a view whose functions change something fails, and nothing has changed."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from pydantic import SecretStr

from retraining_job.errors import BadConfigurationError, DependencyUnavailableError
from retraining_job.events.copy_columns import read_table_columns
from retraining_job.events.table import read_table_events
from retraining_job.settings import ReadLimits
from tests.integration.job.servers import postgres_server
from tests.integration.job.test_failures import with_password
from tests.integration.job.world import World

READERS = pytest.mark.parametrize("read", [read_table_columns, read_table_events])
LIMITS = ReadLimits(statement_seconds=60, lock_seconds=60)
CODE = {
    "an INSERT": "INSERT INTO traces VALUES (1)",
    "a DELETE": "DELETE FROM model_versions",
    "a sequence": "PERFORM nextval('numbers')",
    "a table": "CREATE TABLE created ()",
    "a temporary table": "CREATE TEMP TABLE created ()",
    "a role": "CREATE ROLE nobody_at_all",
    "a lock of rows": "PERFORM FROM traces FOR UPDATE",
    "a dynamic statement": "EXECUTE 'TRUNCATE traces'",
    "the way back to writing": "SET transaction_read_only = off; INSERT INTO traces VALUES (1)",
}


def put_behind_a_view(world: World, code: str, table: str = "scored_events") -> None:
    """Replace a table by a view that runs code for each query."""
    world.sql("CREATE TABLE traces (number integer); CREATE SEQUENCE numbers")
    world.sql(
        f"CREATE FUNCTION act() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN {code};"
        " RETURN true; END $$"
    )
    world.sql(f"ALTER TABLE {table} RENAME TO behind")
    world.sql(f"CREATE VIEW {table} AS SELECT * FROM behind WHERE (SELECT act())")  # noqa: S608


def state(world: World) -> tuple[Any, ...]:
    [row] = world.sql(
        "SELECT (SELECT count(*) FROM traces), (SELECT is_called FROM numbers),"
        " (SELECT count(*) FROM model_versions), to_regclass('created') IS NULL,"
        " NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nobody_at_all')"
    )
    return row


@pytest.mark.parametrize("code", CODE.values(), ids=list(CODE))
def test_view_that_changes_the_database_fails_the_run_with_a_sentence(
    world: World, code: str
) -> None:
    world.sql("INSERT INTO model_versions VALUES (3, now(), 'x', 0.5, 1)")
    put_behind_a_view(world, code)
    run = world.train()
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    text = run.result.message
    assert 'Reading "scored_events" (trainer.eventsTable (RETRAIN_EVENTS_TABLE))' in text
    assert "nothing has changed" in text
    assert "Name a table, or a view that only reads." in text
    assert state(world) == (0, False, 1, True, True)
    assert world.version is None


@READERS
def test_view_that_hides_the_error_changes_nothing(world: World, read: Any) -> None:
    put_behind_a_view(
        world, "BEGIN INSERT INTO traces VALUES (1); EXCEPTION WHEN OTHERS THEN NULL; END"
    )
    read(SecretStr(world.database_url), "scored_events", 1_000, limits=LIMITS)
    assert state(world)[0] == 0


@READERS
def test_view_that_notifies_is_heard_by_nobody(world: World, read: Any) -> None:
    put_behind_a_view(world, "PERFORM pg_notify('channel', 'secret')")
    with closing(psycopg2.connect(world.database_url)) as listener:
        listener.autocommit = True
        listener.cursor().execute("LISTEN channel")
        read(SecretStr(world.database_url), "scored_events", 1_000, limits=LIMITS)
        listener.cursor().execute("SELECT 1")
        listener.poll()
        assert listener.notifies == []


@READERS
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("search_path", "nowhere"),
        ("datestyle", "German"),
        ("timezone", "Asia/Tokyo"),
        ("lock_timeout", "0"),
        ("client_encoding", "LATIN1"),
    ],
)
def test_view_that_changes_settings_changes_no_value(
    world: World, read: Any, name: str, value: str
) -> None:
    url = SecretStr(world.database_url)
    before = read(url, "public.scored_events", 1_000, limits=LIMITS)
    put_behind_a_view(world, f"PERFORM set_config('{name}', '{value}', false)")
    after = read(url, "public.scored_events", 1_000, limits=LIMITS)
    if read is read_table_columns:
        assert after.checksum == before.checksum
    else:
        assert after == before


def test_view_can_round_its_numbers_and_change_nothing_else(world: World) -> None:
    url = SecretStr(world.database_url)
    before, _ = read_table_events(url, "public.scored_events", 1_000, limits=LIMITS)
    put_behind_a_view(world, "PERFORM set_config('extra_float_digits', '-10', false)")
    after, _ = read_table_events(url, "public.scored_events", 1_000, limits=LIMITS)
    assert [event.timestamp for event in after] == [event.timestamp for event in before]
    assert [event.features_json for event in after] == [event.features_json for event in before]
    assert [event.amount for event in after] == pytest.approx(
        [event.amount for event in before], rel=1e-4
    )


@READERS
def test_view_that_removes_the_limit_of_the_next_statement_is_ended_by_it(
    world: World, read: Any
) -> None:
    put_behind_a_view(
        world,
        "IF current_setting('test.was_called', true) = 'yes' THEN PERFORM pg_sleep(60); END IF;"
        " PERFORM set_config('test.was_called', 'yes', false);"
        " PERFORM set_config('statement_timeout', '0', false)",
    )
    with pytest.raises(BadConfigurationError, match=r"longer than 0\.5 s"):
        read(SecretStr(world.database_url), "scored_events", 1_000, limits=ReadLimits(0.5, 60))


@READERS
def test_view_that_takes_too_long_is_ended_and_the_message_names_setting_and_table(
    world: World, read: Any
) -> None:
    put_behind_a_view(world, "PERFORM pg_sleep(60)")
    with pytest.raises(BadConfigurationError) as caught:
        read(SecretStr(world.database_url), "scored_events", 1_000, limits=ReadLimits(0.2, 60))
    text = str(caught.value)
    assert "longer than 0.2 s" in text
    assert "57014" in text
    assert "trainer.readTimeoutSeconds (RETRAIN_READ_TIMEOUT_SECONDS)" in text
    assert '"scored_events" (trainer.eventsTable' in text


@READERS
def test_table_that_stays_locked_is_reported_and_retried(world: World, read: Any) -> None:
    with world.cursor() as holder:
        holder.execute("LOCK TABLE scored_events")
        with pytest.raises(DependencyUnavailableError) as caught:
            read(SecretStr(world.database_url), "scored_events", 1_000, limits=ReadLimits(60, 0.2))
    text = str(caught.value)
    assert "trainer.readLockTimeoutSeconds (RETRAIN_READ_LOCK_TIMEOUT_SECONDS)" in text
    assert '"scored_events"' in text


def test_shorter_limit_of_the_role_stays_in_force(world: World) -> None:
    put_behind_a_view(world, "PERFORM pg_sleep(60)")
    url = f"{world.database_url}?options=-c%20statement_timeout%3D200"
    with pytest.raises(BadConfigurationError, match=r"by options in database\.url"):
        read_table_columns(SecretStr(url), "scored_events", 1_000, limits=LIMITS)


def test_role_that_may_only_read_by_default_gets_a_sentence_about_it(world: World) -> None:
    url = f"{world.database_url}?options=-c%20default_transaction_read_only%3Don"
    run = world.start(environment={"DATABASE_URL": url}, database_retries=0).wait()
    assert run.code == 75, run.log
    assert "default_transaction_read_only" in run.result.message
    assert world.version is None


@pytest.mark.parametrize("table", ["model_versions", "retraining_runs"])
def test_audit_table_that_is_a_view_with_side_effects_is_refused(world: World, table: str) -> None:
    world.sql("CREATE TABLE kept AS SELECT 1 AS number")
    put_behind_a_view(world, "DELETE FROM kept", table)
    if table == "model_versions":
        world.sql("INSERT INTO behind VALUES (3, now(), 'x', 0.5, 1)")
    run = world.train()
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert "Reading model_versions and retraining_runs would change the database" in run.log
    assert world.sql("SELECT count(*) FROM kept") == [(1,)]


def test_report_is_read_in_a_read_only_transaction(world: World) -> None:
    put_behind_a_view(world, "INSERT INTO traces VALUES (1)", "retraining_runs")
    printed = world.start(arguments=("report", "run-1")).wait()
    assert printed.code == 78
    assert "Reading retraining_runs would change the database" in printed.log
    assert state(world)[0] == 0


@READERS
def test_row_level_security_hides_rows_as_before(world: World, read: Any) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    world.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    world.sql(f"GRANT SELECT ON scored_events TO {user}")
    world.sql("ALTER TABLE scored_events ENABLE ROW LEVEL SECURITY")
    world.sql("CREATE POLICY large ON scored_events USING (amount > 0.5)")
    url = SecretStr(with_password(world.database_url, password, user))
    try:
        found = read(url, "scored_events", 1_000, limits=LIMITS)
    finally:
        world.sql(f"DROP OWNED BY {user}; DROP ROLE {user}")
    count = len(found.times) if read is read_table_columns else len(found[0])
    assert 0 < count < 600


@READERS
def test_foreign_table_whose_server_would_write_is_rolled_back(world: World, read: Any) -> None:
    put_behind_a_view(world, "INSERT INTO traces VALUES (1)")
    name = world.sql("SELECT current_database()")[0][0]
    world.sql("CREATE EXTENSION IF NOT EXISTS postgres_fdw")
    password, user = secrets.token_hex(12), f"test_{secrets.token_hex(4)}"
    world.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    world.sql(f"GRANT ALL ON scored_events, traces TO {user}")
    world.sql(
        "CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw"
        f" OPTIONS (host '127.0.0.1', dbname '{name}')"
    )
    world.sql(
        "CREATE USER MAPPING FOR CURRENT_USER SERVER itself"
        f" OPTIONS (user '{user}', password '{password}')"
    )
    world.sql("CREATE SCHEMA far; IMPORT FOREIGN SCHEMA public LIMIT TO (scored_events)"
              " FROM SERVER itself INTO far")  # fmt: skip
    try:
        read(SecretStr(world.database_url), "far.scored_events", 1_000, limits=LIMITS)
    except BadConfigurationError:
        pass  # a newer postgres_fdw makes the far transaction read-only as well
    finally:
        world.sql("DROP SERVER itself CASCADE")
        world.sql(f"DROP OWNED BY {user}; DROP ROLE {user}")
    assert state(world)[0] == 0


@pytest.fixture(scope="session")
def standby_url() -> Iterator[str]:
    """A server that accepts no writes in any session, as a standby does."""
    with postgres_server(26_000 + secrets.randbelow(3_000)) as server:
        url = f"postgresql://postgres@{server.address}/postgres"
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as one:
            one.execute(
                'CREATE TABLE scored_events ("timestamp" timestamptz, amount float8, anomaly_score'
                " float8, is_anomaly boolean, anomaly_label integer, amount_vs_user_avg float8,"
                " features_json jsonb)"
            )
            one.execute("INSERT INTO scored_events VALUES (now(), 1, 0, false, 0, 1, '{\"a\": 1}')")
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as one:
            connection.autocommit = True
            one.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            one.execute("SELECT pg_reload_conf()")
        yield url


@READERS
def test_events_are_read_from_a_server_without_writes(standby_url: str, read: Any) -> None:
    found = read(SecretStr(standby_url), "scored_events", 10, limits=LIMITS)
    assert len(found.times if read is read_table_columns else found[0]) == 1


def test_runs_are_as_before_with_time_limits_of_zero(world: World) -> None:
    run = world.train(read_timeout_seconds=0, read_lock_timeout_seconds=0)
    assert run.result.verdict == "Promoted", run.log
