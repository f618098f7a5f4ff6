"""The command `sign`: sign the live model.

A person uses it after checking a model, or when a key is set for the first time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import redis

from retraining_job.errors import BadConfigurationError, BadDataError, DependencyUnavailableError
from retraining_job.registry.champion import parse_version
from retraining_job.registry.client import open_registry
from retraining_job.registry.integrity import UnreadableChampionError, check_manifest
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import read_live
from retraining_job.registry.manifest import Manifest, sha256
from retraining_job.registry.signing import SETTING, sign_manifest

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings


def sign_live_model(registry: RegistrySettings) -> Manifest:
    """Sign the live model at its version. Only its manifest changes; one is created if it has none.

    Raises:
        BadConfigurationError: There is no key to sign with, or the Redis keys or the URL are wrong.
        BadDataError: There is no live model, or model, manifest and state do not belong together.
        DependencyUnavailableError: Redis does not answer, or the live model has changed meanwhile.
            Repeat the call.
    """
    if not registry.signing_key.get_secret_value():
        raise BadConfigurationError(f"There is no key to sign with. Set {SETTING}.")
    keys = Keys.of(registry)
    with (
        open_registry(registry.redis_url) as client,
        client.pipeline(transaction=True) as transaction,
    ):
        watched = keys.model, keys.version, keys.meta, keys.state
        transaction.watch(*watched)  # type: ignore[no-untyped-call]
        manifest = sign_manifest(registry.signing_key, keys.model, read_or_build_manifest(registry))
        transaction.multi()
        transaction.set(keys.meta, manifest.text())
        try:
            transaction.execute()
        except redis.WatchError:
            raise DependencyUnavailableError(
                "The live model changed while it was being signed. Nothing was changed."
            ) from None
    return manifest


def read_or_build_manifest(registry: RegistrySettings) -> Manifest:
    """Read the manifest of the live model, or build one if the model has none.

    Raises:
        BadDataError: There is no live model, or model, manifest and state do not belong together.
    """
    live = read_live(registry)
    keys = Keys.of(registry)
    try:
        version = parse_version(live.version, keys.version)
        manifest = check_manifest(registry, live, version)
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
