"""Errors of a real PostgreSQL are classified by SQLSTATE, in any language of the server."""

import secrets
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import sql
from pydantic import SecretStr

from retraining_job.errors import BadConfigurationError, BadDataError, DependencyUnavailableError
from retraining_job.infra.postgres import database
from tests.integration.job.servers import Server, postgres_server
from tests.integration.job.test_failures import with_password
from tests.integration.job.world import World

PORT = 21_000 + secrets.randbelow(5_000)


@pytest.fixture(scope="session")
def german_server() -> Iterator[Server]:
    """A PostgreSQL that writes its messages in German."""
    with postgres_server(PORT, language="de") as server:
        url = f"postgresql://postgres@{server.address}/postgres"
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for statement in (
                "CREATE ROLE worker LOGIN PASSWORD 'right'",
                "CREATE ROLE barred NOLOGIN",
                "CREATE ROLE alone LOGIN CONNECTION LIMIT 0",
                "CREATE DATABASE closed ALLOW_CONNECTIONS false",
                "CREATE ROLE hasty LOGIN",
            ):
                cursor.execute(statement)
        server.run(
            f"sed -i '1i host all worker all scram-sha-256' /var/tmp/postgres-{PORT}/pg_hba.conf;"
            f" sed -i '1i host all shunned all reject' /var/tmp/postgres-{PORT}/pg_hba.conf;"
            f" psql -h 127.0.0.1 -p {PORT} -U postgres -c 'SELECT pg_reload_conf()'"
        )
        yield server


def url_of(
    server: Server,
    user: str = "postgres",
    password: str = "",
    name: str = "postgres",
    more: str = "",
) -> SecretStr:
    login = f"{user}:{password}" if password else user
    return SecretStr(f"postgresql://{login}@{server.address}/{name}{more}")


@pytest.mark.parametrize(
    ("login", "kind", "expected"),
    [
        (
            {"user": "worker", "password": "wrong"},
            BadConfigurationError,
            r"refuses the login.*Passwort.*SQLSTATE 28P01",
        ),
        ({"user": "worker"}, BadConfigurationError, r"refuses the login.*SQLSTATE 28P01"),
        ({"user": "nobody"}, BadConfigurationError, "SQLSTATE 28000"),
        ({"user": "barred"}, BadConfigurationError, "SQLSTATE 28000"),
        ({"user": "shunned"}, BadConfigurationError, "SQLSTATE 28000"),
        ({"name": "nowhere"}, BadConfigurationError, r"has no such database.*SQLSTATE 3D000"),
        ({"name": "closed"}, BadConfigurationError, "SQLSTATE 55000"),
        ({"user": "alone"}, DependencyUnavailableError, r"no connection left.*SQLSTATE 53300"),
        (
            {"more": "?sslmode=require"},
            BadConfigurationError,
            r"cannot be encrypted as configured.*offers no encryption",
        ),
        (
            {"more": "?sslmode=verify-ca&sslrootcert=/nowhere/ca.crt"},
            BadConfigurationError,
            r"no file.*sslrootcert",
        ),
    ],
)
def test_login_that_fails_is_classified_in_any_language(
    german_server: Server, login: dict[str, str], kind: type[Exception], expected: str
) -> None:
    url = url_of(german_server, **login)
    with pytest.raises(kind, match=expected) as error, database(url):
        pass
    assert "wrong" not in str(error.value)


ERRORS = {
    "22012": (BadDataError, "SELECT 1 / 0"),
    "42P01": (BadConfigurationError, "SELECT * FROM nowhere"),
    "42501": (BadConfigurationError, "SET ROLE worker; SELECT pg_read_file('/etc/passwd')"),
    "42703": (BadConfigurationError, "SELECT nothing"),
    "3F000": (BadConfigurationError, "CREATE TABLE nowhere.at_all ()"),
    "25006": (DependencyUnavailableError, "SET TRANSACTION READ ONLY; CREATE TABLE any_table ()"),
    "P0001": (BadDataError, "DO $$ BEGIN RAISE EXCEPTION 'so'; END $$"),
    "40001": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '40001'; END $$",
    ),
    "40P01": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '40P01'; END $$",
    ),
    "53100": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '53100'; END $$",
    ),
    "53200": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '53200'; END $$",
    ),
    "54001": (
        BadConfigurationError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '54001'; END $$",
    ),
    "58030": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '58030'; END $$",
    ),
    "72000": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '72000'; END $$",
    ),
    "XX001": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = 'XX001'; END $$",
    ),
    "HV00N": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = 'HV00N'; END $$",
    ),
    "ZZ123": (
        DependencyUnavailableError,
        "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = 'ZZ123'; END $$",
    ),
    "57P01": (DependencyUnavailableError, "SELECT pg_terminate_backend(pg_backend_pid())"),
}


@pytest.mark.parametrize("code", ERRORS)
def test_error_of_a_statement_is_classified_in_any_language(
    german_server: Server, code: str
) -> None:
    kind, statement = ERRORS[code]
    with (
        pytest.raises(kind) as error,
        database(url_of(german_server)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert f"SQLSTATE {code}" in str(error.value) or code == "57P01"
    assert ("does not know" in str(error.value)) == (code == "ZZ123")


@pytest.mark.parametrize(
    ("whose", "target"),
    [
        ("the role hasty", "ROLE hasty"),
        ("the role hasty in the database postgres", "ROLE hasty IN DATABASE postgres"),
        ("the database postgres", "DATABASE postgres"),
    ],
)
def test_message_about_a_time_limit_has_its_name_its_owner_and_advice(
    german_server: Server, whose: str, target: str
) -> None:
    def alter(change: str) -> None:
        with database(url_of(german_server)) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL(f"ALTER {target} {change}"))

    alter("SET statement_timeout = '50ms'")
    try:
        with (
            pytest.raises(BadConfigurationError) as error,
            database(url_of(german_server, "hasty")) as connection,
        ):
            connection.cursor().execute("SELECT pg_sleep(5)")
    finally:
        alter("RESET statement_timeout")
    text = str(error.value)
    assert f"by a limit that is set for {whose}" in text
    assert "statement_timeout = 50 ms" in text
    assert f"ALTER {target} SET statement_timeout = ..." in text
    assert "SQLSTATE 57014" in text


@pytest.mark.parametrize("name", ["lock_timeout", "statement_timeout"])
def test_limit_in_the_url_names_the_url(german_server: Server, name: str) -> None:
    url = url_of(german_server, more=f"?options=-c%20{name}%3D60")
    expected = DependencyUnavailableError if name == "lock_timeout" else BadConfigurationError
    with (
        closing(psycopg2.connect(url_of(german_server).get_secret_value())) as other,
        other.cursor() as holder,
    ):
        holder.execute("CREATE TABLE held (); LOCK TABLE held") if name == "lock_timeout" else None
        raised = pytest.raises(expected, match=rf"(?s)by options in database\.url.*{name} = 60 ms")
        with raised, database(url) as connection, connection.cursor() as cursor:
            if name == "lock_timeout":
                holder.execute("COMMIT; BEGIN; LOCK TABLE held")
                cursor.execute("LOCK TABLE held")
            else:
                cursor.execute("SELECT pg_sleep(5)")


def test_statement_that_a_person_cancels_is_retried(german_server: Server) -> None:
    expected = pytest.raises(DependencyUnavailableError, match="Somebody cancelled")
    with expected, database(url_of(german_server)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "DO $$ BEGIN PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(5); END $$"
        )


def test_role_with_a_short_limit_ends_the_run_at_once_and_says_what_to_set(
    world: World,
) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    world.sql(
        f"CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data,"
        " pg_write_all_data"
    )
    world.sql(f"ALTER ROLE {user} SET statement_timeout = '20ms'")
    world.sql("ALTER TABLE scored_events RENAME TO parts")
    world.sql("CREATE VIEW scored_events AS SELECT parts.* FROM parts, pg_sleep(1)")
    try:
        environment = {"DATABASE_URL": with_password(world.database_url, password, user)}
        run = world.start(environment=environment).wait()
    finally:
        world.sql(f"DROP OWNED BY {user}; DROP ROLE {user}")
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert f"ALTER ROLE {user} SET statement_timeout" in run.result.message
    assert "is unavailable" not in run.result.message
