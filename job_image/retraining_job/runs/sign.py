"""The command `sign`: sign the live model, and sign again what the previous key has signed.

A person uses it after checking a model, when a key is set for the first time, or when the key
changes.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import redis

from retraining_job.errors import BadConfigurationError, BadDataError, DependencyUnavailableError
from retraining_job.registry.client import open_registry
from retraining_job.registry.integrity import (
    UnreadableChampionError,
    check_manifest,
    check_version,
)
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import read_live
from retraining_job.registry.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    manifest_subject,
    sha256,
)
from retraining_job.registry.package import write_manifest
from retraining_job.registry.signatures import (
    read_text,
    replace_value,
    rotate_history,
    rotate_runs,
    sign_again,
    write_text,
)
from retraining_job.registry.signing import SETTING, SigningKeys

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

log = logging.getLogger(__name__)


def sign_everything(registry: RegistrySettings, *, rotate_only: bool = False) -> None:
    """Sign the live model, and sign again what is signed with the present or the previous key.

    Args:
        registry: The settings of the registry.
        rotate_only: Whether the live model, too, is signed only if either key has signed it.

    Raises:
        BadConfigurationError: There is no key to sign with, or the Redis keys or the URL are wrong.
        BadDataError: The live model cannot be signed.
        DependencyUnavailableError: Redis does not answer, or something has changed meanwhile.
            Repeat the call.
    """
    check_key(registry)
    if rotate_only:
        rotate_live_model(registry)
    else:
        log.info("Signed version %d.", sign_live_model(registry).version)
    rotate_history(registry)
    rotate_runs(registry)
    log.info("Signed with the present key all that the present or the previous key had signed.")


def check_key(registry: RegistrySettings) -> None:
    """Check that there is a key to sign with.

    Raises:
        BadConfigurationError: There is none.
    """
    if not SigningKeys.of(registry).are_set:
        raise BadConfigurationError(f"There is no key to sign with. Set {SETTING}.")


def rotate_live_model(registry: RegistrySettings) -> None:
    """Sign the live model again with the present key. Does nothing if there is no live model.

    Raises:
        BadDataError: It is not signed with the present or the previous key.
        DependencyUnavailableError: Redis does not answer, or the manifest has changed meanwhile.
    """
    live, keys = read_live(registry, with_model=False), Keys.of(registry)
    if live.model is None:
        return
    manifest = live.own_manifest
    if manifest is None:
        raise BadDataError(
            f"The live model under {keys.model} is not signed with the present or the previous "
            'key. Nothing was changed. If it is yours, run "python -m retraining_job sign".'
        )
    subject = manifest_subject(registry.model_key, manifest.version)
    replace_value(
        registry,
        keys.meta,
        partial(read_text, keys.meta, MANIFEST_LIMIT_BYTES),
        partial(sign_again, SigningKeys.of(registry), subject),
        partial(write_text, keys.meta),
    )


def sign_live_model(registry: RegistrySettings) -> Manifest:
    """Sign the live model at its version. Only its manifest changes; one is created if it has none.

    Raises:
        BadConfigurationError: There is no key to sign with, or the Redis keys or the URL are wrong.
        BadDataError: There is no live model, or it has no version, or model, manifest and state do
            not belong together.
        DependencyUnavailableError: Redis does not answer, or the live model has changed meanwhile.
            Repeat the call.
    """
    check_key(registry)
    keys = Keys.of(registry)
    with (
        open_registry(registry.redis_url) as client,
        client.pipeline(transaction=True) as transaction,
    ):
        watched = keys.model, keys.version, keys.meta, keys.state
        transaction.watch(*watched)  # type: ignore[no-untyped-call]
        manifest = read_or_build_manifest(registry)
        transaction.multi()
        transaction.set(keys.meta, write_manifest(registry, manifest))
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
        BadDataError: There is no live model, or it has no version, or model, manifest and state do
            not belong together.
    """
    live = read_live(registry)
    keys = Keys.of(registry)
    try:
        version = check_version(live.version, keys.version)
        manifest = check_manifest(registry, live, version)
    except UnreadableChampionError as error:
        raise BadDataError(f"{error} It was not signed.") from None
    if live.model is None:
        raise BadDataError(f"There is no live model under {keys.model} to sign.")
    if version == 0:
        raise BadDataError(
            f"The live model has no version under {keys.version}, so it was not signed. Set one "
            "that is higher than all in model_versions."
        )
    return manifest or Manifest(
        version=version,
        epoch=max(live.stamp.changes, version),
        published_at=datetime.now(UTC),
        pickle_sha256=sha256(live.model),
        pickle_bytes=len(live.model),
    )
