"""Connections to Redis, and the conversion of its errors."""

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
from retraining_job.contract.redis_url import FORM, RedisUrlError, normalize_redis_url
from retraining_job.errors import BadConfigurationError, DependencyUnavailableError

if TYPE_CHECKING:
    from pydantic import SecretStr

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
"""Enough for a large model over a slow network."""

SCRIPT_ERROR = re.compile(r"@user_script: ?\d+: -?([A-Z]+)\b")
"""Finds the code of a failed command in the error of a script, before Redis 7."""

CODES: dict[type[redis.RedisError], str] = {
    redis.AuthenticationError: "NOAUTH",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.BusyLoadingError: "LOADING",
    # A subclass comes before its base class: MovedError, AskError and the next two.
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.ClusterCrossSlotError: "CROSSSLOT",
    redis.exceptions.TryAgainError: "TRYAGAIN",
    redis.exceptions.ExecAbortError: "EXECABORT",
    redis.exceptions.NoScriptError: "NOSCRIPT",
}
"""The codes of errors that the client reports by their class only."""

KINDS: dict[Failure, type[BadConfigurationError | DependencyUnavailableError]] = {
    Failure.BAD_CONFIGURATION: BadConfigurationError,
    Failure.DEPENDENCY_UNAVAILABLE: DependencyUnavailableError,
}

MEMORY_POLICY = (
    "Redis evicts any key when its memory is full (maxmemory-policy %s), the live model included. "
    "Set it to noeviction or to one of the volatile policies: the live model never expires."
)

log = logging.getLogger(__name__)


@contextmanager
def open_registry(url: SecretStr) -> Iterator[redis.Redis]:
    """Open a client that never retries: only the caller knows what is safe to repeat.

    Raises:
        BadConfigurationError: The URL, the password or the name of a key is wrong.
        DependencyUnavailableError: Redis does not answer, or cannot take a new model now.
    """
    client = build_client(url)
    try:
        with client:
            yield client
    except redis.RedisError as error:
        raise convert_error(error) from None


def build_wrong_type_error(key: str, kind: bytes) -> BadConfigurationError:
    """Build the error for a key whose value has another type.

    Args:
        key: The key.
        kind: The type of its value, as Redis names it.

    Returns:
        The error.
    """
    names = [
        f"{value_name(field)} ({environment_name(field)})" for field in ("model_key", "version_key")
    ]
    return BadConfigurationError(
        f"The key {key} in Redis holds a {kind.decode(errors='replace')}, which the trainer has "
        f"not written. {names[0]} and {names[1]} set the keys of the model and of its version; the "
        "other keys begin with the model's. Nothing was changed."
    )


def warn_about_eviction(client: redis.Redis) -> None:
    """Log a warning if a full memory can evict the live model."""
    try:
        memory = client.info("memory")
    except redis.exceptions.ResponseError:
        return  # the user lacks the right
    policy = str(memory.get("maxmemory_policy", ""))
    if memory.get("maxmemory") and policy.startswith("allkeys"):
        log.warning(MEMORY_POLICY, policy)


def build_client(url: SecretStr) -> redis.Redis:
    """Build a client. It connects when it is first used.

    Raises:
        BadConfigurationError: The URL is malformed.
    """
    try:
        client = redis.Redis.from_url(
            normalize_redis_url(url.get_secret_value()),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="retraining-job",
        )
        # Does not connect, and rejects unknown parameters.
        client.connection_pool.make_connection()
    except RedisUrlError as error:
        raise BadConfigurationError(f"The setting {SETTING} is wrong: {error}.") from None
    except (ValueError, TypeError, redis.RedisError, OSError):
        # The error's text may contain a part of the password.
        raise BadConfigurationError(f"The setting {SETTING} is wrong: {FORM}.") from None
    return client


def convert_error(error: redis.RedisError) -> BadConfigurationError | DependencyUnavailableError:
    """Return an error of Redis as one of ours."""
    text = " ".join(str(error).split()).rstrip(".")
    row = redis_error(get_code(error))
    code = f" ({row.code})" if row not in {UNKNOWN, redis_error(None)} else ""
    return KINDS[row.reason](f"{row.meaning}: {text}{code}. {row.advice}")


def get_code(error: redis.RedisError) -> str | None:
    """Return the code of an error, or None if Redis has sent none."""
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
