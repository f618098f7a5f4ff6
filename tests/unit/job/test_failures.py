"""What the trainer does and reports when a dependency fails."""

import logging
from datetime import UTC, datetime

import pytest
import redis.exceptions

from retraining_job.contract import ExitCode, Failure, Result
from retraining_job.errors import (
    AuditPendingError,
    BadConfigurationError,
    BadDataError,
    DependencyUnavailableError,
    RunError,
)
from retraining_job.infra.retries import call_with_retries
from retraining_job.registry.client import convert_error
from retraining_job.runs.termination import build_failure
from retraining_job.settings import RetryPolicy

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


Redis = redis.exceptions
NO_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (Redis.AuthenticationError("invalid username-password pair"), BadConfigurationError,
         "another password"),
        (Redis.AuthenticationError("Authentication required."), BadConfigurationError,
         "redis.url (REDIS_URL)"),
        (Redis.ResponseError("NOAUTH Authentication required."), BadConfigurationError,
         "REDIS_URL"),
        (Redis.NoPermissionError("no permissions to run the 'set' command"), BadConfigurationError,
         "The user of"),
        (Redis.ResponseError(NO_TYPE), BadConfigurationError, "RETRAIN_MODEL_KEY"),
        (Redis.ResponseError(f"@user_script:4: {NO_TYPE}"), BadConfigurationError,
         "RETRAIN_VERSION_KEY"),
        (Redis.ReadOnlyError("You can't write against a read only replica."),
         DependencyUnavailableError, "replica"),
        (
            Redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
            DependencyUnavailableError,
            "memory limit",
        ),
        (Redis.ResponseError("@user_script:15: OOM command not allowed"),
         DependencyUnavailableError, "untouched"),
        (Redis.BusyLoadingError("Redis is loading the dataset in memory"),
         DependencyUnavailableError, "unavailable"),
        (
            Redis.ConnectionError("Error 111 connecting to redis:6379."),
            DependencyUnavailableError,
            "redis.url (REDIS_URL) is unavailable",
        ),
        (Redis.TimeoutError("Timeout reading from socket"), DependencyUnavailableError,
         "unavailable"),
        (Redis.ResponseError("ERR Error running script: @user_script:15: -OOM no"),
         DependencyUnavailableError, "OOM"),
        (Redis.MovedError("3999 127.0.0.1:6381"), BadConfigurationError, "not a cluster"),
        (Redis.AskError("3999 127.0.0.1:6381"), BadConfigurationError, "not a cluster"),
        (Redis.ClusterDownError("The cluster is down"), DependencyUnavailableError, "CLUSTERDOWN"),
        (Redis.ClusterCrossSlotError("Keys in request"), BadConfigurationError, "not a cluster"),
        (Redis.MasterDownError("Link with MASTER is down"), DependencyUnavailableError,
         "MASTERDOWN"),
        (Redis.TryAgainError("Multiple keys"), DependencyUnavailableError, "TRYAGAIN"),
        (Redis.ResponseError("MISCONF Redis is configured to save"), DependencyUnavailableError,
         "to disk"),
        (Redis.ResponseError("NOREPLICAS Not enough good replicas"), DependencyUnavailableError,
         "replicas"),
        (Redis.ResponseError("BUSY Redis is busy running a script."), DependencyUnavailableError,
         "BUSY"),
        (Redis.ResponseError("UNKILLABLE Sorry"), DependencyUnavailableError, "UNKILLABLE"),
        (Redis.ResponseError("DENIED Redis is running in protected mode"), BadConfigurationError,
         "protected mode"),
        (Redis.ResponseError("ERR unknown command"), DependencyUnavailableError, "without a code"),
        (Redis.ResponseError("NEWCODE of a later version"), DependencyUnavailableError,
         "does not know"),
        (Redis.ConnectionError("max number of clients reached", status_code="ERR"),
         DependencyUnavailableError, "ERR"),
    ],
)  # fmt: skip
def test_redis_errors_are_understood(
    error: redis.exceptions.RedisError, kind: type[RunError], says: str
) -> None:
    ours = convert_error(error)
    assert type(ours) is kind
    assert says in str(ours)


class Dependency:
    """A dependency that is unavailable for its first calls."""

    def __init__(self, away: int, error: type[RunError] = DependencyUnavailableError) -> None:
        self.away, self.error, self.calls = away, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.away:
            raise self.error("The database is unavailable.")
        return "there"


PATIENCE = RetryPolicy(retries=3, delay_seconds=0)


@pytest.mark.parametrize("away", [0, 1, 3])
def test_unavailable_dependency_is_retried(away: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    dependency = Dependency(away)
    assert call_with_retries(PATIENCE, dependency) == "there"
    assert dependency.calls == away + 1
    assert caplog.messages == [
        f"The database is unavailable. Trying again in 0 s ({i} of 3)." for i in range(1, away + 1)
    ]


def test_dependency_that_stays_unavailable_ends_the_run() -> None:
    dependency = Dependency(99)
    with pytest.raises(DependencyUnavailableError, match="The database is unavailable"):
        call_with_retries(PATIENCE, dependency)
    assert dependency.calls == 4


def test_wrong_setting_is_not_retried() -> None:
    dependency = Dependency(99, BadConfigurationError)
    with pytest.raises(BadConfigurationError):
        call_with_retries(PATIENCE, dependency)
    assert dependency.calls == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BadConfigurationError("x"), "BadConfiguration"),
        (BadDataError("x"), "BadData"),
        (DependencyUnavailableError("x"), "DependencyUnavailable"),
        (ZeroDivisionError("secret"), "InternalError"),
    ],
)
def test_failure_has_a_document_without_verdict(error: Exception, reason: str) -> None:
    document = build_failure(error, "r1", NOW)
    assert (document.verdict, document.reason, document.promoted) == (None, reason, False)
    assert "secret" not in document.message


def test_live_model_without_its_row_is_named() -> None:
    live = Result(
        run_id="r1",
        promoted=True,
        reason="x",
        message="x",
        version=7,
        champion_version=6,
        started_at=NOW,
        finished_at=NOW,
    )
    document = build_failure(AuditPendingError("The model is live as version 7.", live), "r1", NOW)
    assert (document.reason, document.promoted, document.version) == ("AuditPending", True, 7)


def test_every_failure_has_its_exit_code() -> None:
    codes = {kind.failure: kind.exit_code for kind in RunError.__subclasses__()}
    assert codes == {
        failure: ExitCode[failure.name]
        for failure in Failure
        if failure is not Failure.INTERNAL_ERROR
    }
