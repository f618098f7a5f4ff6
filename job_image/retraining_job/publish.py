"""From challenger to champion: one atomic step in Redis, safe to repeat. Driven by `run`.

A run leaves its result document beside the model it published. That is how a second start of the run, or a second try
after an answer that never came, knows that the work is done.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from retraining_job.contract import Result
from retraining_job.errors import DependencyAway
from retraining_job.store import store

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings

STAGING_SECONDS = 600
"""How long an uploaded model outlives a trainer that died before publishing it."""

RUN_SECONDS = 7 * 24 * 3600
"""How long a run is known to have published: longer than any Job is tried again."""


@dataclass(frozen=True)
class Published:
    """The run's model has gone live, now or at an earlier try."""

    result: Result


@dataclass(frozen=True)
class Overtaken:
    """Another run has promoted its model since the champion was read."""

    version: str


def publish(settings: TrainSettings, blob: bytes, *, judged_against: bytes, result: Result) -> Published | Overtaken:
    """Put a model live as `result.version`, unless the live version is no longer the one judged against.

    Raises:
        BadConfiguration: the keys or the URL are wrong.
        DependencyAway: Redis does not answer, or cannot take the model; repeat the call.
    """
    staging_key = f"{settings.model_key}:staging:{settings.run_id}:{secrets.token_hex(8)}"
    keys = [settings.model_key, settings.version_key, staging_key, run_key(settings)]
    arguments: list[bytes | str | int] = [judged_against, str(result.version), result.document(), RUN_SECONDS]
    with store(settings.redis_url) as client:
        client.set(staging_key, blob, ex=STAGING_SECONDS)
        outcome, text = client.register_script(script())(keys, arguments)
    if outcome == b"published":
        return Published(Result.model_validate_json(text))
    if outcome == b"overtaken":
        return Overtaken(text.decode(errors="replace"))
    raise DependencyAway("Redis dropped the uploaded model before it could go live; its memory may be short.")


def published(settings: TrainSettings) -> Result | None:
    """Find what this run has published at an earlier start."""
    with store(settings.redis_url) as client:
        document = client.get(run_key(settings))
    return Result.model_validate_json(document) if document else None


def run_key(settings: TrainSettings) -> str:
    """Name the key that holds the run's result document."""
    return f"{settings.model_key}:run:{settings.run_id}"


def script() -> str:
    """Read the script that publishes."""
    return files("retraining_job").joinpath("publish.lua").read_text()
