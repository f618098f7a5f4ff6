"""Signing what is live already: after a person has checked it, or when a key is set for the first time.

Driven by the command `sign`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import redis

from retraining_job.errors import BadConfigurationError, BadDataError, DependencyUnavailableError
from retraining_job.registry.champion import UnreadableChampionError, described, version_of
from retraining_job.registry.client import store
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import read_live
from retraining_job.registry.manifest import Manifest, sha256
from retraining_job.registry.signing import SETTING, signed

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings


def sign(settings: TrainSettings) -> Manifest:
    """Sign the live model at its version, and change nothing but its manifest; one without a manifest gets one.

    Raises:
        BadConfigurationError: there is no key to sign with, or the keys or the URL are wrong.
        BadDataError: there is no live model, or model, manifest and state do not belong together.
        DependencyUnavailableError: Redis does not answer, or the live model has changed meanwhile; repeat the
            call.
    """
    if not settings.signing_key.get_secret_value():
        raise BadConfigurationError(f"There is no key to sign with: set {SETTING}.")
    keys = Keys.of(settings)
    with store(settings.redis_url) as client, client.pipeline(transaction=True) as transaction:
        transaction.watch(keys.model, keys.version, keys.meta, keys.state)  # type: ignore[no-untyped-call]
        manifest = signed(settings.signing_key, keys.model, present_manifest(settings))
        transaction.multi()
        transaction.set(keys.meta, manifest.text())
        try:
            transaction.execute()
        except redis.WatchError:
            raise DependencyUnavailableError(
                "The live model has changed while it was being signed; nothing was done."
            ) from None
    return manifest


def present_manifest(settings: TrainSettings) -> Manifest:
    """Give the manifest of what is live, made here where there is none."""
    live = read_live(settings)
    keys = Keys.of(settings)
    try:
        version = version_of(live.version, keys.version)
        manifest = described(settings, live, version)
    except UnreadableChampionError as error:
        raise BadDataError(f"{error} It was not signed.") from None
    if live.model is None:
        raise BadDataError(f"There is no live model under {keys.model} to sign.")
    return manifest or Manifest(
        version=version,
        epoch=live.stamp.changes,
        published_at=datetime.now(UTC),
        pickle_sha256=sha256(live.model),
        pickle_bytes=len(live.model),
    )
