"""From challenger to champion: one atomic step in Redis, safe to repeat. Driven by `run`, `rollback` and `challenger`.

A run leaves its result document beside the model it published. That is how a second start of the
run, or a second try after an answer that never came, knows that the work is done.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING

import redis

from retraining_job.contract import Result
from retraining_job.errors import BadConfigurationError, DependencyUnavailableError
from retraining_job.registry.client import store, warn_of_eviction, wrong_type
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import STATE_LIMIT_BYTES
from retraining_job.registry.manifest import (
    Manifest,
    ModelProvenance,
    UnreadableManifestError,
    read_manifest,
    sha256,
)
from retraining_job.registry.signing import signed

if TYPE_CHECKING:
    from retraining_job.registry.live import Stamp
    from retraining_job.settings import TrainSettings

STAGING_SECONDS = 600
"""How long an uploaded model outlives a trainer that died before publishing it."""

RUN_SECONDS = 7 * 24 * 3600
"""How long a run is known to have published: longer than any Job is tried again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """The run's model has gone live, now or at an earlier try."""

    result: Result


@dataclass(frozen=True)
class Overtaken:
    """Another run has changed the live model since the champion was read."""

    version: str
    """The live version now; empty where there is none."""
    run_id: str = ""
    """The run that has put it live; empty where that is not known."""

    def __str__(self) -> str:
        """Say who won: `version 8 of run weekly-3`."""
        return f"version {self.version or '(none)'}" + (
            f" of run {self.run_id}" if self.run_id else ""
        )


@dataclass(frozen=True)
class ModelPackage:
    """A model, packed for Redis."""

    blob: bytes
    """The pickle for the readers."""
    state: str | None
    """What it can be rebuilt from; without it, the pickle itself is kept when its time is over."""
    origin: ModelProvenance
    """What the manifest is to say of it."""


def publish(
    settings: TrainSettings, parcel: ModelPackage, *, judged_against: Stamp, result: Result
) -> Published | Overtaken:
    """Put a model live as `result.version`, unless the live one is no longer the one judged against.

    The former champion goes into the history. Readers see all of it change at once.

    Raises:
        BadConfigurationError: the keys or the URL are wrong, or the user may not do what publishing
            needs. DependencyAway: Redis does not answer, or cannot take the model; repeat the call.
    """
    if parcel.state and len(parcel.state) > STATE_LIMIT_BYTES:
        log.warning(
            "The model's state is too large to be kept, %s characters; its pickle is.",
            f"{len(parcel.state):,}",
        )
        parcel = replace(parcel, state=None)
    keys = Keys.of(settings)
    manifest = manifest_of(settings, parcel, judged_against, result)
    staging = keys.staging(settings.run_id)
    names = [keys.model, keys.version, keys.meta, keys.state, keys.epoch, keys.history]
    former = keys.former(settings.run_id)
    names += [keys.run(settings.run_id), keys.challenger(settings.run_id), staging, former]
    arguments: list[bytes | str | int] = [judged_against.version, judged_against.epoch]
    arguments += [
        manifest.version,
        manifest.epoch,
        manifest.text(),
        parcel.state or "",
        result.document(),
        RUN_SECONDS,
    ]
    arguments += [settings.history_versions, keys.changes, notice(manifest)]
    with store(settings.redis_url) as client:
        warn_of_eviction(client)
        client.set(staging, parcel.blob, ex=STAGING_SECONDS)
        try:
            outcome, text, more = client.register_script(script())(names, arguments)
        except (
            redis.ResponseError
        ):  # it was refused, and the upload is in the way until it vanishes by itself
            with suppress(redis.RedisError):
                client.unlink(staging)
            raise
        if outcome in {b"wrong", b"forbidden"}:
            client.unlink(staging)
        if outcome == b"published":
            with suppress(redis.RedisError):  # it vanishes by itself
                client.unlink(former)
    if outcome == b"published":
        return Published(Result.model_validate_json(text))
    if outcome == b"overtaken":
        return winner(text, more)
    if outcome == b"wrong":
        raise wrong_type(text.decode(errors="replace"), more)
    if outcome == b"forbidden":
        raise BadConfigurationError(
            f"Redis does not let the trainer's user do {text.decode()} on the key {more.decode(errors='replace')}; "
            "nothing was changed. Give the user that right."
        )
    raise DependencyUnavailableError(
        "Redis dropped the uploaded model before it could go live; its memory may be short."
    )


def manifest_of(
    settings: TrainSettings, parcel: ModelPackage, judged_against: Stamp, result: Result
) -> Manifest:
    """Write the manifest that a model has once it is live, with its signature."""
    if result.version is None:
        raise ValueError("what is published has a version")
    manifest = Manifest(
        **parcel.origin.model_dump(include=set(ModelProvenance.model_fields)),
        version=result.version,
        epoch=judged_against.changes + 1,
        run_id=settings.run_id,
        published_at=datetime.now(UTC),
        pickle_sha256=sha256(parcel.blob),
        pickle_bytes=len(parcel.blob),
        state_sha256=sha256(parcel.state.encode()) if parcel.state else "",
    )
    return signed(settings.signing_key, settings.model_key, manifest)


def notice(manifest: Manifest) -> str:
    """Write what is told on the channel of changes."""
    what = "promoted" if manifest.restored_from is None else "restored"
    return json.dumps(
        {
            "version": manifest.version,
            "epoch": manifest.epoch,
            "run_id": manifest.run_id,
            "what": what,
        }
    )


def winner(version: bytes, meta: bytes) -> Overtaken:
    """Tell who has put the live model there, by its manifest."""
    text = version.decode(errors="replace")
    try:
        manifest = read_manifest(meta)
    except UnreadableManifestError:
        return Overtaken(text)
    return Overtaken(text, manifest.run_id if str(manifest.version) == text else "")


def published(settings: TrainSettings) -> Result | None:
    """Find what this run has published at an earlier start."""
    return result_of_run(settings, settings.run_id)


def result_of_run(settings: TrainSettings, run_id: str) -> Result | None:
    """Find what a run has published, within the last `RUN_SECONDS`."""
    with store(settings.redis_url) as client:
        document = client.get(Keys.of(settings).run(run_id))
    return Result.model_validate_json(document) if document else None


def script() -> str:
    """Read the script that publishes."""
    return files("retraining_job.registry").joinpath("publish.lua").read_text()
