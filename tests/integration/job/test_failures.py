"""Wrong settings and unavailable dependencies: a clear message, the exit code, no password."""

import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest

from retraining_job.audit.runs import AUDIT_LOCK
from retraining_job.contract import read_result
from tests.integration.job.trainers import TrainerProcess
from tests.integration.job.world import World


def with_password(url: str, password: str, user: str | None = None) -> str:
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    user = parts.username or "" if user is None else user
    return parts._replace(netloc=f"{user}:{password}@{address}").geturl()


@pytest.fixture
def nobody_listens() -> Iterator[str]:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def traces(world: World, run: TrainerProcess) -> str:
    """Return everything that a run leaves in its log, result, database and Redis."""
    rows = (
        world.sql("SELECT * FROM retraining_runs")
        if world.sql("SELECT to_regclass('retraining_runs')")[0][0]
        else []
    )
    keys = list(world.redis.scan_iter(f"{world.model_key}*"))
    kept = [
        world.redis.hgetall(key) if world.redis.type(key) == b"hash" else world.redis.get(key)
        for key in keys
    ]
    return f"{run.log} {run.document.read_text()} {rows} {kept}"


def test_wrong_password_of_the_database(world: World) -> None:
    password = secrets.token_urlsafe(12)
    environment = {"DATABASE_URL": with_password(world.database_url, password)}
    run = world.start(environment=environment).wait()
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert "database.url (DATABASE_URL)" in run.result.message
    assert "password authentication failed" in run.result.message
    assert password not in traces(world, run)


@pytest.fixture
def redis_user(world: World) -> Iterator[str]:
    """A Redis user with a password that the test does not use."""
    name = f"user-{secrets.token_hex(4)}"
    world.redis.acl_setuser(
        name, enabled=True, passwords=[f"+{secrets.token_urlsafe(12)}"], commands=["+@all"]
    )
    yield name
    world.redis.acl_deluser(name)


@pytest.mark.parametrize("known", [True, False], ids=["of a user", "of nobody"])
def test_wrong_password_of_redis(world: World, redis_user: str, known: bool) -> None:
    user, password = redis_user if known else "nobody-by-this-name", secrets.token_urlsafe(12)
    run = world.start(
        environment={"REDIS_URL": with_password(world.redis_url, password, user)}
    ).wait()
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert "redis.url (REDIS_URL)" in run.result.message
    assert password not in traces(world, run)
    assert world.runs == [("run-1", None, "BadConfiguration", None)]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        *(
            (name, url)
            for name in ("DATABASE_URL", "REDIS_URL")
            for url in ("http://u:{0}{1}@host/0", "{0}{1}", "{0}://{1}@h")
        ),
        *(("DATABASE_URL", f"postgresql://u:{{0}}{sign}{{1}}@127.0.0.1:1/x") for sign in "/?#@[%"),
        *(("REDIS_URL", f"redis://u:{{0}}{sign}{{1}}@127.0.0.1:1/0") for sign in "/?#@[%"),
        ("DATABASE_URL", "postgresql://u:1234/{1}@127.0.0.1/x"),
        ("REDIS_URL", "redis://u:1234/{1}@127.0.0.1/0"),
        ("REDIS_URL", "redis://:{0}{1}@127.0.0.1:{0}/0"),
    ],
)
def test_no_part_of_a_password_in_a_wrong_url_is_shown(world: World, name: str, url: str) -> None:
    pieces = secrets.token_hex(8), secrets.token_hex(8)
    run = world.start(environment={name: url.format(*pieces)}, database_retries=0).wait()
    assert run.code in {75, 78}, run.log
    assert name in run.result.message
    assert not [piece for piece in (*pieces, "1234") if piece in traces(world, run)]


def test_passwords_of_a_successful_run_are_not_shown(world: World) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    world.redis.acl_setuser(
        user, enabled=True, passwords=[f"+{password}"], keys=["*"], commands=["+@all"]
    )
    world.sql(
        f"CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data,"
        " pg_write_all_data"
    )
    try:
        environment = {
            "REDIS_URL": with_password(world.redis_url, password, user),
            "DATABASE_URL": with_password(world.database_url, password, user),
        }
        for run_id in ("run-1", "run-1", "run-2"):
            run = world.start(run_id, environment=environment).wait()
            assert run.result.verdict == "Promoted", run.log
            assert password not in traces(world, run)
        blob = world.redis.get(world.model_key)
        assert password.encode() not in blob
    finally:
        world.redis.acl_deluser(user)
        world.sql(f"DROP ROLE {user}")


def test_redis_user_without_rights_is_a_wrong_setting(world: World) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    world.redis.acl_setuser(
        user,
        enabled=True,
        passwords=[f"+{password}"],
        keys=["*"],
        commands=["+@read", "+@connection"],
    )
    try:
        run = world.start(
            environment={"REDIS_URL": with_password(world.redis_url, password, user)}
        ).wait()
    finally:
        world.redis.acl_deluser(user)
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert "The user of redis.url" in run.result.message


def test_missing_table_names_the_setting(world: World) -> None:
    run = world.train(events_table="nowhere")
    assert (run.code, run.result.reason) == (78, "BadConfiguration")
    assert 'no table or view "nowhere"' in run.result.message
    assert "trainer.eventsTable (RETRAIN_EVENTS_TABLE)" in run.result.message
    assert world.train(events_table="no_schema.nowhere").code == 78


def test_missing_column_names_it(world: World) -> None:
    world.sql("ALTER TABLE scored_events RENAME COLUMN features_json TO features")
    run = world.train()
    assert (run.code, run.result.reason) == (78, "BadConfiguration")
    assert "features_json" in run.result.message
    assert "RETRAIN_EVENTS_TABLE" in run.result.message


def test_time_column_of_another_type_is_refused(world: World) -> None:
    world.sql("ALTER TABLE scored_events ALTER timestamp TYPE text")
    run = world.train()
    assert (run.code, run.result.reason) == (78, "BadConfiguration")
    assert "cannot hold times" in run.result.message


def test_view_that_fails_while_it_is_read_is_bad_data(world: World) -> None:
    world.sql(
        "CREATE VIEW broken AS SELECT timestamp, 1 / (anomaly_label - anomaly_label) AS amount,"
        " anomaly_score,"
        " is_anomaly, anomaly_label, amount_vs_user_avg, features_json FROM scored_events"
    )
    run = world.train(events_table="broken")
    assert (run.code, run.result.reason) == (65, "BadData"), run.log
    assert "division by zero" in run.result.message
    assert world.runs == [("run-1", None, "BadData", None)]


def test_missing_right_to_read_the_table_is_reported(world: World) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    world.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    try:
        run = world.start(
            environment={"DATABASE_URL": with_password(world.database_url, password, user)}
        ).wait()
    finally:
        world.sql(f"DROP ROLE {user}")
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log


def test_missing_model_versions_is_reported_before_any_work(bare_world: World) -> None:
    run = bare_world.train()
    assert (run.code, run.result.reason) == (78, "BadConfiguration")
    assert "python -m retraining_job migrate" in run.result.message


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_unavailable_dependency_is_retried_then_reported(
    world: World, nobody_listens: str, name: str
) -> None:
    scheme = "redis" if name == "REDIS_URL" else "postgresql"
    password = secrets.token_hex(12)
    environment = {name: f"{scheme}://user:{password}@{nobody_listens}/0"}
    run = world.start(environment=environment, database_retries=2).wait()
    assert (run.code, run.result.reason) == (75, "DependencyUnavailable"), run.log
    assert run.log.count("Trying again in 0 s") == 2
    assert name in run.result.message
    assert password not in traces(world, run)
    assert world.runs == (
        [("run-1", None, "DependencyUnavailable", None)] if name == "REDIS_URL" else []
    )


def test_wrong_setting_leaves_a_result_document(world: World) -> None:
    run = world.train(rows="many")
    assert (run.code, run.result.reason, run.result.run_id) == (78, "BadConfiguration", "run-1")
    assert "trainer.rows (RETRAIN_ROWS)" in run.result.message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_that_is_terminated_during_a_call_ends_and_can_be_repeated(
    world: World, number: signal.Signals
) -> None:
    with world.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        run = world.start()
        run.wait_for("Published the challenger")
        time.sleep(0.2)  # it waits for the lock now, deep in the database's library
        run.kill(number)
        assert run.wait().code == 128 + number
        assert f"Ended by {number.name}" in run.log
    again = world.train()
    assert again.result.verdict == "Promoted", again.log
    assert (world.version, len(world.versions), len(world.runs)) == (b"1", 1, 1)


def test_migration_failures_have_their_exit_codes(bare_world: World, nobody_listens: str) -> None:
    away = bare_world.start(
        arguments=("migrate",),
        environment={"DATABASE_URL": f"postgresql://u:p@{nobody_listens}/x"},
        database_retries=0,
    ).wait()
    assert away.code == 75
    wrong = bare_world.start(
        arguments=("migrate",),
        environment={"DATABASE_URL": with_password(bare_world.database_url, "wrong")},
    ).wait()
    assert wrong.code == 78
    assert read_result(wrong.document.read_text()) is None


def test_connection_that_the_database_closes_is_retried(world: World) -> None:
    with closing(psycopg2.connect(world.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE scored_events")
        run = world.start()
        run.wait_for("Retraining for")
        for _ in range(500):
            ended = world.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'retraining-job' AND datname = current_database()"
                " AND wait_event_type = 'Lock'"
            )
            if ended:
                break
            time.sleep(0.01)
        connection.rollback()
    assert run.wait().result.verdict == "Promoted", run.log
    assert "The database is unavailable" in run.log
