"""The GRANT statements of docs/how-to/database-and-redis.md are enough, and each is needed."""

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from pydantic import SecretStr

from retraining_job.audit.migrations import migrate
from retraining_operator.audit.table import read_recorded_records, read_verdict, write_rows
from tests.integration.job.test_failures import with_password
from tests.integration.job.world import World
from tests.integration.operator.test_audit_writer import row

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "database-and-redis.md"
BLOCK = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)


def documented(block: int) -> list[str]:
    """Return the statements of one block of SQL of the page: 0 before, 1 after the migration."""
    lines = BLOCK.findall(PAGE.read_text())[block].splitlines()
    text = "\n".join(line.partition("--")[0] for line in lines)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


@dataclass
class Logins:
    """The roles of the page, under names of one test."""

    world: World
    migration: str
    trainer: str
    password: str

    def run(self, statement: str) -> None:
        """Run a statement of the page as the administrator."""
        names = {"retraining_migration": self.migration, "retraining": self.trainer}
        text = re.sub(
            r"\bretraining_migration\b|\bretraining\b", lambda match: names[match[0]], statement
        )
        text = text.replace("PASSWORD '...'", f"PASSWORD '{self.password}'")
        database = self.world.sql("SELECT current_database()")[0][0]
        self.world.sql(text.replace("DATABASE fraud", f"DATABASE {database}"))

    def url(self, role: str) -> str:
        """Return the URL with which a role logs in."""
        return with_password(self.world.database_url, self.password, role)

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement as the trainer's role."""
        with (
            closing(psycopg2.connect(self.url(self.trainer))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def logins(bare_world: World) -> Iterator[Logins]:
    """Both roles, before anything was migrated."""
    suffix = secrets.token_hex(4)
    made = Logins(bare_world, f"migration_{suffix}", f"trainer_{suffix}", secrets.token_hex(12))
    for statement in documented(0):
        made.run(statement)
    yield made
    for role in (made.trainer, made.migration):
        bare_world.sql(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


@pytest.fixture
def granted(logins: Logins) -> Logins:
    """Both roles with all rights of the page, and a world that uses the trainer's."""
    world = logins.world
    migrate(SecretStr(logins.url(logins.migration)), "scored_events")
    for statement in documented(1):
        logins.run(statement)
    world.seed(600)
    return logins


def test_run_retrain_and_rollback_with_exactly_these_rights(granted: Logins) -> None:
    world, environment = granted.world, {"DATABASE_URL": granted.url(granted.trainer)}
    for number in (1, 2):
        run = world.start(f"run-{number}", environment=environment).wait()
        assert run.result.verdict == "Promoted", run.log
    back = world.start("back", ("rollback", "--to", "1"), environment=environment).wait()
    assert (back.code, world.version) == (0, b"3"), back.log
    failed = world.start("failed", environment=environment, events_table="nowhere").wait()
    assert failed.code == 78
    assert {run_id for run_id, *_ in world.runs} == {"run-1", "run-2", "back", "failed"}
    report = world.start(arguments=("report", "run-1"), environment=environment).wait()
    assert "has no report" in report.log


def test_approval_works_with_exactly_these_rights(granted: Logins) -> None:
    world, environment = granted.world, {"DATABASE_URL": granted.url(granted.trainer)}
    run = world.start("run-1", environment=environment, promotion="Manual").wait()
    assert run.result.withheld == "AwaitingApproval", run.log
    decided = world.start(
        "run-1", ("decide",), environment, approval="approve", approval_by="ann"
    ).wait()
    assert (decided.code, world.version) == (0, b"1"), decided.log


def test_operator_records_and_reads_with_exactly_these_rights(granted: Logins) -> None:
    url = SecretStr(granted.url(granted.trainer))
    answers, problem = write_rows(url, [row("r", record_key="key"), row("r")])
    assert problem is None
    assert answers["r"].status == "True"
    assert read_recorded_records(url, ["key"]) == {"key"}
    assert read_verdict(url, "r") is None


REFUSED = {
    "drop a table": "DROP TABLE retraining_runs",
    "delete a run": "DELETE FROM retraining_runs",
    "delete a version": "DELETE FROM model_versions",
    "change a version": "UPDATE model_versions SET version = 1",
    "empty a table": "TRUNCATE model_versions",
    "write events": "INSERT INTO scored_events (timestamp) VALUES (now())",
    "change events": "UPDATE scored_events SET anomaly_label = 1",
    "delete events": "DELETE FROM scored_events",
    "read another table": "SELECT * FROM other",
    "create a table": "CREATE TABLE mine ()",
    "create a function": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "create a schema": "CREATE SCHEMA mine",
    "create a role": "CREATE ROLE mine",
    "add a column": "ALTER TABLE retraining_runs ADD COLUMN mine text",
    "create a trigger": "CREATE TRIGGER mine BEFORE INSERT ON retraining_runs"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "become the owner": "SET ROLE {migration}",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "run a program": "COPY (SELECT 1) TO PROGRAM 'true'",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=list(REFUSED))
def test_everything_else_is_refused(granted: Logins, statement: str) -> None:
    granted.world.sql("CREATE TABLE other (secret text)")
    with pytest.raises(psycopg2.Error) as refused:
        granted.execute(statement.format(migration=granted.migration))
    assert refused.value.pgcode == "42501"


def test_migration_without_create_names_the_missing_grant(logins: Logins) -> None:
    logins.world.sql(f"REVOKE CREATE ON SCHEMA public FROM {logins.migration}, PUBLIC")
    environment = {"DATABASE_URL": logins.url(logins.migration)}
    run = logins.world.start(arguments=("migrate",), environment=environment).wait()
    assert run.code == 78
    assert f"GRANT USAGE, CREATE ON SCHEMA public TO {logins.migration}" in run.log
    assert "migration.existingSecret" in run.log
    assert "Traceback" not in run.log


def test_migration_of_a_table_of_another_owner_names_the_missing_grant(granted: Logins) -> None:
    granted.world.sql("ALTER TABLE retraining_runs DROP COLUMN log_tail")
    environment = {"DATABASE_URL": granted.url(granted.trainer)}
    run = granted.world.start(arguments=("migrate",), environment=environment).wait()
    assert run.code == 78
    assert f"GRANT {granted.migration} TO {granted.trainer}" in run.log
    assert "Could not add the column log_tail to retraining_runs" in run.log


def test_migration_that_finds_nothing_missing_needs_no_right(granted: Logins) -> None:
    environment = {"DATABASE_URL": granted.url(granted.trainer)}
    run = granted.world.start(arguments=("migrate",), environment=environment).wait()
    assert run.code == 0, run.log
    assert "Could not" not in run.log
    assert "The database's schema is up to date." in run.log


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("SELECT ON scored_events", 'may not read "scored_events"'),
        ("SELECT ON model_versions", "permission denied"),
        ("INSERT ON model_versions", "model_versions"),
        ("SELECT ON retraining_runs", "permission denied"),
        ("INSERT ON retraining_runs", "retraining_runs"),
        ("UPDATE ON retraining_runs", "retraining_runs"),
    ],
)
def test_each_right_is_needed_and_nothing_goes_live_without_it(
    granted: Logins, right: str, words: str
) -> None:
    granted.world.sql(f"REVOKE {right} FROM {granted.trainer}")
    environment = {"DATABASE_URL": granted.url(granted.trainer)}
    run = granted.world.start(environment=environment).wait()
    assert (run.code, granted.world.version) == (78, None), run.log
    assert words in run.result.message
