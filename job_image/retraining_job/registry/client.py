"""Connections to Redis, and its errors as ours. Used by all that reads or writes there."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from retraining_job.contract import Failure, environment_name, value_name
from retraining_job.contract.redis_errors import SETTING, TLS_CODE, UNKNOWN, redis_error
from retraining_job.contract.redis_url import FORM, RedisUrlError, plain_redis_url
from retraining_job.errors import BadConfigurationError, DependencyUnavailableError

if TYPE_CHECKING:
    from pydantic import SecretStr

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
"""Enough for a large model over a slow network."""


SCRIPT_ERROR = re.compile(r"@user_script: ?\d+: -?([A-Z]+)\b")
"""Where the code of a failed command stands in the error of a script, before Redis 7."""

CODES: dict[type[redis.RedisError], str] = {
    redis.AuthenticationError: "NOAUTH",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.BusyLoadingError: "LOADING",
    # before the class that it belongs to, as the next but one
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.ClusterCrossSlotError: "CROSSSLOT",
    redis.exceptions.TryAgainError: "TRYAGAIN",
    redis.exceptions.ExecAbortError: "EXECABORT",
    redis.exceptions.NoScriptError: "NOSCRIPT",
}
"""The codes that the client puts a class in the place of, if it does not keep the code as well."""

KINDS: dict[Failure, type[BadConfigurationError | DependencyUnavailableError]] = {
    Failure.BAD_CONFIGURATION: BadConfigurationError,
    Failure.DEPENDENCY_UNAVAILABLE: DependencyUnavailableError,
}

MEMORY_POLICY = (
    "Redis evicts any key when its memory is full (maxmemory-policy %s), the live model included; "
    "set it to noeviction, or to one of the volatile policies: what is live never expires."
)

log = logging.getLogger(__name__)


@contextmanager
def store(url: SecretStr) -> Iterator[redis.Redis]:
    """Give a client that never tries again by itself: whoever calls knows what is safe to repeat.

    Raises:
        BadConfigurationError: the URL, the password or a key's name is wrong.
        DependencyUnavailableError: Redis does not answer, or cannot take a new model now.
    """
    client = connected(url)
    try:
        with client:
            yield client
    except redis.RedisError as error:
        raise understood(error) from None


def wrong_type(key: str, kind: bytes) -> BadConfigurationError:
    """Say that a key holds something that is none of ours."""
    return BadConfigurationError(
        f"The key {key} in Redis holds a {kind.decode(errors='replace')}, which the trainer has not put there; "
        f"{value_name('model_key')} ({environment_name('model_key')}) and {value_name('version_key')} "
        f"({environment_name('version_key')}) name the keys of the model and its version, and the others begin with "
        "the model's. Nothing was changed."
    )


def warn_of_eviction(client: redis.Redis) -> None:
    """Say so where a full memory may cost the live model."""
    try:
        memory = client.info("memory")
    except redis.exceptions.ResponseError:
        return  # a user without the right to ask
    policy = str(memory.get("maxmemory_policy", ""))
    if memory.get("maxmemory") and policy.startswith("allkeys"):
        log.warning(MEMORY_POLICY, policy)


def connected(url: SecretStr) -> redis.Redis:
    """Make a client; it connects when it is first used.

    Raises:
        BadConfigurationError: The URL has not the form that it should.
    """
    try:
        client = redis.Redis.from_url(
            plain_redis_url(url.get_secret_value()),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="retraining-job",
        )
        # does not connect, and refuses parameters that it does not know
        client.connection_pool.make_connection()
    except RedisUrlError as error:
        raise BadConfigurationError(f"The setting {SETTING} is wrong: {error}.") from None
    except (
        ValueError,
        TypeError,
        redis.RedisError,
        OSError,
    ):  # the text may hold a piece of the password
        raise BadConfigurationError(f"The setting {SETTING} is wrong: {FORM}.") from None
    return client


def understood(error: redis.RedisError) -> BadConfigurationError | DependencyUnavailableError:
    """Return an error of Redis as one of ours."""
    text = " ".join(str(error).split()).rstrip(".")
    row = redis_error(code_of(error))
    code = f" ({row.code})" if row not in {UNKNOWN, redis_error(None)} else ""
    return KINDS[row.reason](f"{row.meaning}: {text}{code}. {row.advice}")


def code_of(error: redis.RedisError) -> str | None:
    """Return the code of an error; None if Redis has said nothing."""
    text = str(error)
    if found := SCRIPT_ERROR.search(text):
        return found[1]
    if code := getattr(error, "status_code", None):
        return str(code)
    for kind, known in CODES.items():
        if isinstance(error, kind):
            return known
    if isinstance(error, redis.exceptions.ResponseError):
        word = text.split(" ", 1)[0]
        return word if re.fullmatch(r"[A-Z]+", word) else "ERR"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return TLS_CODE
        cause = cause.__cause__ or cause.__context__
    return None
