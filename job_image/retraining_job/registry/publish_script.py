"""The script `publish.lua`: its keys, its arguments, and how it is run."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import redis

from retraining_job.registry.client import open_registry, warn_about_eviction
from retraining_job.registry.keys import Keys

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

STAGING_SECONDS = 600
"""How long Redis stores an uploaded model if the trainer dies before publishing it."""


class PublishKeys(NamedTuple):
    """The keys of the script, in the order that `publish.lua` expects."""

    model: str
    version: str
    meta: str
    state: str
    epoch: str
    history: str
    run: str
    challenger: str
    staging: str
    former: str
    threshold: str


class PublishArguments(NamedTuple):
    """The arguments of the script, in the order that `publish.lua` expects."""

    expected_version: bytes
    expected_epoch: bytes
    new_version: int
    new_epoch: int
    new_manifest: str
    new_state: str
    result: str
    result_seconds: int
    dropped: str
    channel: str
    notice: str
    new_threshold: str


class ScriptAnswer(NamedTuple):
    """What the script answers.

    Args:
        outcome: `published`, `overtaken`, `missing`, `wrong` or `forbidden`.
        text: The result document, the live version, the key, or the command.
        more: The live manifest, the type of the key, or the key.
    """

    outcome: bytes
    text: bytes
    more: bytes


def build_keys(registry: RegistrySettings) -> PublishKeys:
    """Build the keys of the script, with a new one for the upload."""
    keys = Keys.of(registry)
    return PublishKeys(
        model=keys.model,
        version=keys.version,
        meta=keys.meta,
        state=keys.state,
        epoch=keys.epoch,
        history=keys.history,
        run=keys.run(registry.run_id),
        challenger=keys.challenger(registry.run_id),
        staging=keys.staging(registry.run_id),
        former=keys.former(registry.run_id),
        threshold=registry.threshold_key or keys.meta,  # not written if no threshold is published
    )


def run_script(
    registry: RegistrySettings, keys: PublishKeys, arguments: PublishArguments, pickle: bytes
) -> ScriptAnswer:
    """Upload the pickle and run the script.

    Args:
        registry: The settings of the registry.
        keys: The keys of the script.
        arguments: The arguments of the script.
        pickle: The model.

    Returns:
        The script's answer.
    """
    with open_registry(registry.redis_url) as client:
        warn_about_eviction(client)
        client.set(keys.staging, pickle, ex=STAGING_SECONDS)
        try:
            answer = ScriptAnswer(*client.register_script(read_script())(keys, arguments))
        except redis.ResponseError:
            # Redis refuses the script. Until the upload expires, it takes memory.
            with suppress(redis.RedisError):
                client.unlink(keys.staging)
            raise
        if answer.outcome in {b"wrong", b"forbidden"}:
            client.unlink(keys.staging)
        if answer.outcome == b"published":
            with suppress(redis.RedisError):  # it expires by itself
                client.unlink(keys.former)
    return answer


def read_script() -> str:
    """Read the script that publishes."""
    return files("retraining_job.registry").joinpath("publish.lua").read_text()
