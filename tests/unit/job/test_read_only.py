"""Limits of a read-only transaction, and the messages about them."""

from typing import Any

import psycopg2
import pytest

from retraining_job.contract import Tunables
from retraining_job.contract.postgres_errors import LIMITS
from retraining_job.errors import BadConfigurationError, DependencyUnavailableError, RunError
from retraining_job.infra.read_only import (
    LIMIT_SETTINGS,
    ReadTransaction,
    build_limit_error,
    build_side_effect_error,
    build_wanted_limits,
    choose_limits,
)
from retraining_job.settings import ReadLimits

SUBJECT = '"scored_events" (trainer.eventsTable (RETRAIN_EVENTS_TABLE))'


@pytest.mark.parametrize(
    ("present", "wanted", "chosen"),
    [(0, 900_000, 900_000), (20, 900_000, 20), (900_000, 20, 20), (0, 0, 0), (20, 0, 20)],
)
def test_shorter_limit_counts_and_zero_is_none(present: int, wanted: int, chosen: int) -> None:
    assert choose_limits({"lock_timeout": present}, {"lock_timeout": wanted}) == {
        "lock_timeout": chosen
    }


def test_limits_of_the_database_stay_without_limits_of_the_trainer() -> None:
    assert choose_limits({"statement_timeout": 7}, build_wanted_limits(None)) == {
        "statement_timeout": 7
    }


def test_every_limit_has_a_setting_and_a_code() -> None:
    assert set(build_wanted_limits(ReadLimits(1.5, 2))) == set(LIMIT_SETTINGS)
    assert set(LIMIT_SETTINGS.values()) <= set(Tunables.model_fields)
    assert set(LIMIT_SETTINGS) <= set(LIMITS.values())


def test_message_about_a_side_effect_names_the_table_and_what_to_do() -> None:
    text = str(build_side_effect_error(SUBJECT, "cannot execute INSERT (SQLSTATE 25006)"))
    assert text.startswith(f"Reading {SUBJECT} would change the database: cannot execute INSERT")
    assert "nothing has changed" in text
    assert text.endswith("Name a table, or a view that only reads.")


@pytest.mark.parametrize(
    ("name", "kind", "setting"),
    [
        (
            "statement_timeout",
            BadConfigurationError,
            "trainer.readTimeoutSeconds (RETRAIN_READ_TIMEOUT_SECONDS)",
        ),
        (
            "lock_timeout",
            DependencyUnavailableError,
            "trainer.readLockTimeoutSeconds (RETRAIN_READ_LOCK_TIMEOUT_SECONDS)",
        ),
    ],
)
def test_message_about_a_limit_names_table_setting_and_seconds(
    name: str, kind: type[RunError], setting: str
) -> None:
    error = build_limit_error(SUBJECT, "canceling statement (SQLSTATE 57014)", name, 1.5)
    assert type(error) is kind
    for part in (SUBJECT, "longer than 1.5 s", setting):
        assert part in str(error)


class Session:
    """A connection whose limits are known. Its statements do nothing."""

    def __init__(self, **limits: int) -> None:
        self.limits = limits
        self.readonly = False
        self.statements: list[str] = []

    def cursor(self) -> "Session":
        return self

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        self.statements.append(statement)

    def fetchall(self) -> list[tuple[str, int]]:
        return list(self.limits.items())


def opened(session: Any, seconds: float) -> ReadTransaction:
    reading = ReadTransaction(session, ReadLimits(seconds, seconds), SUBJECT, "SET LOCAL x = 1")
    reading.open()
    return reading


def failure(code: str) -> psycopg2.Error:
    error: Any = psycopg2.Error("a sentence of the server")
    error.__setstate__({"pgcode": code})
    assert isinstance(error, psycopg2.Error)
    return error


def test_transaction_is_read_only_and_each_statement_gets_its_limits_again() -> None:
    session = Session(statement_timeout=0, lock_timeout=20)
    reading = opened(session, 2)
    assert session.readonly
    expected = "SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 20; SET LOCAL x = 1"
    assert session.statements[1:] == [expected]
    session.limits["statement_timeout"] = 0  # as the function of a view may set it
    reading.begin_statement()
    assert session.statements[2:] == [expected]


@pytest.mark.parametrize("code", ["25006", "25001"])
def test_statement_that_would_write_is_a_wrong_setting(code: str) -> None:
    reading = opened(Session(statement_timeout=0, lock_timeout=0), 0)
    error = reading.convert(failure(code))
    assert isinstance(error, BadConfigurationError)
    assert SUBJECT in str(error)
    assert code in str(error)


@pytest.mark.parametrize("code", ["57014", "55P03"])
def test_limit_of_the_trainer_is_told_from_a_limit_of_the_database_and_a_cancel(code: str) -> None:
    ours = opened(Session(statement_timeout=0, lock_timeout=0), 0.001)
    ours._started -= 1
    assert "longer than 0.001 s" in str(ours.convert(failure(code)))
    theirs = opened(Session(statement_timeout=1, lock_timeout=1), 900)
    theirs._started -= 1
    assert theirs.convert(failure(code)) is None
    cancelled = opened(Session(statement_timeout=0, lock_timeout=0), 900)
    assert cancelled.convert(failure(code)) is None
    without = opened(Session(statement_timeout=0, lock_timeout=0), 0)
    assert without.convert(failure(code)) is None


def test_other_errors_are_not_converted() -> None:
    reading = opened(Session(statement_timeout=0, lock_timeout=0), 900)
    for code in ("42P01", "08006", "22P02"):
        assert reading.convert(failure(code)) is None
    assert reading.convert(psycopg2.OperationalError("gone")) is None
