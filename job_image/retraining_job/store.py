"""Connections to Redis, and its errors as ours. Used by all that reads or writes there."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from retraining_job.contract import REDIS_URL, environment_name, value_name
from retraining_job.errors import BadConfiguration, DependencyAway

if TYPE_CHECKING:
    from pydantic import SecretStr

SETTING = f"redis.url ({REDIS_URL})"

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
"""Enough for a large model over a slow network."""


class Problem(NamedTuple):
    """A refusal of Redis, and what it means here."""

    error: type[redis.RedisError]
    """The client's class for it."""
    word: str
    """Redis' own code for it, which stands in the text where a script has failed."""
    kind: type[BadConfiguration | DependencyAway]
    sentence: str


PROBLEMS = (
    Problem(
        redis.AuthenticationError,
        "NOAUTH",
        BadConfiguration,
        f"Redis wants another password than {SETTING} has, or one where it has none",
    ),
    Problem(
        redis.exceptions.NoPermissionError,
        "NOPERM",
        BadConfiguration,
        f"Redis does not let the user of {SETTING} do what the trainer needs",
    ),
    Problem(
        redis.exceptions.ReadOnlyError,
        "READONLY",
        DependencyAway,
        f"The Redis of {SETTING} is a read-only replica; it must be the primary",
    ),
    Problem(
        redis.exceptions.OutOfMemoryError,
        "OOM",
        DependencyAway,
        "Redis is at its memory limit and takes no new model; the live one is untouched",
    ),
)

WRONG_TYPE = (
    f"A key in Redis holds something else than a string; {value_name('model_key')} ({environment_name('model_key')}) "
    f"and {value_name('version_key')} ({environment_name('version_key')}) name the keys of the model and its version"
)


MEMORY_POLICY = (
    "Redis evicts any key when its memory is full (maxmemory-policy %s), the live model included; "
    "set it to noeviction, or to one of the volatile policies: what is live never expires."
)

log = logging.getLogger(__name__)


@contextmanager
def store(url: SecretStr) -> Iterator[redis.Redis]:
    """Give a client that never tries again by itself: whoever calls knows what is safe to repeat.

    Raises:
        BadConfiguration: the URL, the password or a key's name is wrong.
        DependencyAway: Redis does not answer, or cannot take a new model now.
    """
    client = connected(url)
    try:
        with client:
            yield client
    except redis.RedisError as error:
        raise understood(error) from None


def wrong_type(key: str, kind: bytes) -> BadConfiguration:
    """Say that a key holds something that is none of ours."""
    return BadConfiguration(
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
        BadConfiguration: the URL has not the form that it should. What exactly is wrong is not told: it may be a piece
            of the password.
    """
    text = url.get_secret_value()
    wrong = BadConfiguration(
        f"The setting {SETTING} is wrong: it is not of the form redis://user:password@host:6379/0, "
        "or its password has characters that must be percent-encoded."
    )
    try:
        parts = urlsplit(text)
        client = redis.Redis.from_url(
            text,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="retraining-job",
        )
    except (ValueError, TypeError):
        raise wrong from None
    if "@" in parts.path + parts.query + parts.fragment:  # a /, ? or # in the password has cut the URL short
        raise wrong
    return client


def understood(error: redis.RedisError) -> BadConfiguration | DependencyAway:
    """Turn an error of Redis into one of ours."""
    text = " ".join(str(error).split()).rstrip(".")
    words = set(re.split(r"\W+", text))
    for problem in PROBLEMS:
        if isinstance(error, problem.error) or problem.word in words:
            return problem.kind(f"{problem.sentence}: {text}.")
    if "WRONGTYPE" in words:
        return BadConfiguration(f"{WRONG_TYPE}: {text}.")
    return DependencyAway(f"The Redis of {SETTING} is away: {text}.")
