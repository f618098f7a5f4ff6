"""The migration, and tables of the old service."""

from typing import Any

import pytest

from retraining_job.audit.runs import AUDIT_LOCK
from tests.integration.job.trainers import TrainerProcess
from tests.integration.job.world import World

REFERENCE = (
    "version {version}, trained_at {trained_at}, trigger_reason {reason}, "
    "precision_score {score}, n_samples {n}"
)
TYPES = {
    "integers and times with zone": (
        "integer",
        "timestamptz",
        "text",
        "double precision",
        "integer",
    ),
    "texts": ("text", "text", "text", "text", "text"),
    "key, times without zone": (
        "integer PRIMARY KEY",
        "timestamp NOT NULL",
        "varchar(50)",
        "real",
        "bigint",
    ),
    "numbers with places": (
        "bigint UNIQUE",
        "timestamp(3)",
        "varchar(255) NOT NULL",
        "numeric(6, 4)",
        "numeric",
    ),
    "version as text key": (
        "varchar(64) PRIMARY KEY",
        "timestamptz",
        "varchar(5)",
        "float8",
        "smallint",
    ),
}


def columns(world: World, table: str) -> dict[str, str]:
    return dict(
        world.sql(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s",
            table,
        )
    )


@pytest.fixture(params=TYPES.values(), ids=list(TYPES))
def old_world(bare_world: World, request: pytest.FixtureRequest) -> World:
    """The old service's database, which is not migrated."""
    world = bare_world
    names = ("version", "trained_at", "reason", "score", "n")
    extra = "id serial, " if "PRIMARY KEY" not in request.param[0] else ""
    world.sql(
        "CREATE TABLE model_versions"
        f" ({extra}{REFERENCE.format(**dict(zip(names, request.param, strict=True)))})"
    )
    world.sql(
        "CREATE TABLE scored_events (timestamp timestamp, amount numeric, anomaly_score real,"
        " is_anomaly boolean,"
        " anomaly_label smallint, amount_vs_user_avg real, features_json text)"
    )
    world.seed(600)
    return world


def rounded_precision(run: TrainerProcess) -> float:
    """Return the challenger's precision as the old table stores it."""
    assert run.result.metrics
    assert run.result.metrics.challenger
    assert run.result.metrics.challenger.precision is not None
    return round(run.result.metrics.challenger.precision, 4)


def row(world: World) -> tuple[Any, ...]:
    [found] = world.sql(
        "SELECT version::text, trigger_reason, round(precision_score::numeric, 4)::float8,"
        " n_samples::int,"
        " trained_at::timestamptz > now() - interval '1 day' FROM model_versions"
    )
    return found


@pytest.mark.parametrize("migrated", [False, True], ids=["as it stands", "migrated"])
def test_old_tables_work_without_migration(old_world: World, migrated: bool) -> None:
    world = old_world
    if migrated:
        assert world.migrate().code == 0
    run = world.train()
    assert run.code == 0, run.log
    assert run.result.verdict == "Promoted"
    version, reason, score, n_samples, is_recent = row(world)
    assert (version, n_samples, is_recent) == ("1", 600, True)
    assert "drift_detected".startswith(reason)
    assert score == rounded_precision(run)
    assert ("retraining_runs" in run.log and "migrate" in run.log) is not migrated
    again = world.train()
    assert again.result == run.result
    assert row(world)[0] == "1"


def test_unmigrated_table_gets_one_row_although_the_first_attempt_was_killed_before_it(
    old_world: World,
) -> None:
    world = old_world
    with world.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        run = world.start()
        run.wait_for("Published the challenger")
        run.kill()
        run.wait()
    assert world.sql("SELECT FROM model_versions") == []
    runs = [world.start() for _ in range(4)]
    assert {run.wait().code for run in runs} == {0}
    assert row(world)[0] == "1"


def test_version_is_never_used_twice_even_if_redis_was_emptied(old_world: World) -> None:
    world = old_world
    world.sql(
        "INSERT INTO model_versions (version, trained_at, trigger_reason) VALUES ('7',"
        " '2024-01-01', 'x')"
    )
    assert world.train().result.version == 8
    assert sorted(
        version for [version] in world.sql("SELECT version::text FROM model_versions")
    ) == ["7", "8"]


def test_migration_creates_what_is_missing(bare_world: World) -> None:
    run = bare_world.migrate()
    assert run.code == 0, run.log
    assert {
        "timestamp",
        "amount",
        "anomaly_score",
        "is_anomaly",
        "anomaly_label",
        "amount_vs_user_avg",
        "features_json",
    } == set(columns(bare_world, "scored_events"))
    assert columns(bare_world, "model_versions")["run_id"] == "text"
    assert columns(bare_world, "retraining_runs")["metrics"] == "jsonb"
    with pytest.raises(Exception, match="unique"):
        bare_world.sql(
            "INSERT INTO model_versions VALUES (1, now(), '', 0, 0, 'a'), (2, now(), '', 0, 0, 'a')"
        )


def test_migration_renames_the_columns_of_an_earlier_trainer(bare_world: World) -> None:
    assert bare_world.migrate().code == 0
    bare_world.sql("ALTER TABLE retraining_runs RENAME metrics TO figures")
    bare_world.sql("ALTER TABLE retraining_runs RENAME approval_by TO decided_by")
    bare_world.sql(
        "INSERT INTO retraining_runs (run_id, reason, message, started_at, finished_at, decided_by)"
        " VALUES ('old', 'r', 'm', now(), now(), 'Jane Doe')"
    )
    run = bare_world.migrate()
    assert run.code == 0, run.log
    assert "Renamed the column figures of retraining_runs to metrics." in run.log
    assert bare_world.sql("SELECT approval_by FROM retraining_runs") == [("Jane Doe",)]
    found = columns(bare_world, "retraining_runs")
    assert "metrics" in found
    assert not {"figures", "decided_by"} & set(found)


def test_migration_can_be_repeated_and_run_in_parallel(bare_world: World) -> None:
    runs = [bare_world.start(arguments=("migrate",)) for _ in range(6)]
    assert {run.wait().code for run in runs} == {0}, "\n".join(run.log for run in runs)
    before = [
        columns(bare_world, table)
        for table in ("scored_events", "model_versions", "retraining_runs")
    ]
    assert bare_world.migrate().code == 0
    assert before == [
        columns(bare_world, table)
        for table in ("scored_events", "model_versions", "retraining_runs")
    ]


def test_migration_does_not_change_existing_objects(old_world: World) -> None:
    world = old_world
    before = columns(world, "model_versions")
    world.sql(
        "INSERT INTO model_versions (version, trained_at, trigger_reason) VALUES ('7',"
        " '2024-01-01', 'x')"
    )
    run = world.migrate()
    assert run.code == 0, run.log
    assert columns(world, "model_versions") == {**before, "run_id": "text"}
    assert columns(world, "scored_events")["features_json"] == "text"
    assert world.sql("SELECT version::text, run_id FROM model_versions") == [("7", None)]


def test_migration_reports_what_it_cannot_add_and_continues(bare_world: World) -> None:
    world = bare_world
    world.sql(
        "CREATE TABLE raw (version int, trained_at timestamp, trigger_reason text,"
        " precision_score real, n_samples int)"
    )
    world.sql("CREATE VIEW model_versions AS SELECT * FROM raw")
    run = world.migrate()
    assert run.code == 0, run.log
    assert "Could not add the column run_id to model_versions" in run.log
    world.seed(600)
    assert world.train().code == 0
    assert len(world.versions) == 1


def test_run_id_column_of_another_type_is_not_changed(bare_world: World) -> None:
    world = bare_world
    world.sql(
        "CREATE TABLE model_versions (version int, trained_at timestamp, trigger_reason text,"
        " precision_score real,"
        " n_samples int, run_id int)"
    )
    assert world.migrate().code == 0
    world.seed(600)
    run = world.train()
    assert run.code == 0, run.log
    assert len(world.versions) == 1


def test_no_events_table_is_created_if_another_one_is_configured(
    bare_world: World,
) -> None:
    run = bare_world.migrate(events_table="fraud.events")
    assert run.code == 0, run.log
    assert columns(bare_world, "scored_events") == {}


def test_migration_without_rights_reports_it(bare_world: World) -> None:
    user = "nobody_may_" + bare_world.database_url[-6:]
    bare_world.sql(f"CREATE ROLE {user}; REVOKE CREATE ON SCHEMA public FROM public")
    try:
        options = f"?options=-c%20role%3D{user}"
        run = bare_world.start(
            arguments=("migrate",), environment={"DATABASE_URL": bare_world.database_url + options}
        ).wait()
    finally:
        bare_world.sql(f"DROP ROLE {user}")
    assert run.code == 78, run.log
    assert "permission denied" in run.log
