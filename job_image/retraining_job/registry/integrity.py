"""Checks that the live model, its manifest and its state belong together."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from retraining_job.contract import (
    VERSION_RANGE,
    environment_name,
    parse_version,
    value_name,
)
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import STATE_LIMIT_BYTES, Live
from retraining_job.registry.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    UnreadableManifestError,
    read_manifest,
    sha256,
)

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

log = logging.getLogger(__name__)


class UnreadableChampionError(Exception):
    """There is a live model, and it cannot be evaluated.

    Args:
        problem: What is wrong, as a sentence.
        remedy: What to do, as sentences.
        version: The live version, if it is known.
    """

    def __init__(self, problem: str, *, remedy: str, version: int | None = None) -> None:
        super().__init__(f"{problem} {remedy}")
        self.version = version


def check_version(text: bytes | None, key: str) -> int:
    """Check the live version.

    Args:
        text: The text in Redis, or None if there is none.
        key: The Redis key that it was read from.

    Returns:
        The version, 0 if there is none.

    Raises:
        UnreadableChampionError: It is no version.
    """
    if text is None:
        return 0
    version = parse_version(text)
    if version is None:
        raise UnreadableChampionError(
            f"The version of the live model, under {key}, is not a whole number from "
            f"{VERSION_RANGE}: {text[:40]!r}.",
            remedy="Set it to the highest version in model_versions.",
        )
    return version


def check_manifest(registry: RegistrySettings, live: Live, version: int) -> Manifest | None:
    """Check that model, manifest and state belong together, and return the manifest.

    Args:
        registry: The settings of the registry.
        live: The contents of the keys.
        version: The live version.

    Returns:
        The manifest, or None if there is none or another program has put the model there.

    Raises:
        UnreadableChampionError: They do not belong together, or one of them is missing, damaged or
            too large.
    """
    keys = Keys.of(registry)
    if live.model is None:
        check_no_manifest(keys, live, version)
        return None
    limit = registry.model_limit_bytes
    if live.model_bytes > limit:
        raise UnreadableChampionError(
            f"The live model under {keys.model} has {live.model_bytes:,} bytes, more than the "
            f"limit of {limit:,}.",
            remedy=f"If it is yours, raise {value_name('model_limit_mebibytes')} "
            f"({environment_name('model_limit_mebibytes')}). If not, replace it or delete the key.",
            version=version,
        )
    if live.meta is None:
        return None
    manifest = parse_manifest(keys, live.meta, version)
    if live.version is None:
        raise UnreadableChampionError(
            f"The version of the live model, under {keys.version}, is missing; its manifest says "
            f"{manifest.version}.",
            remedy=f"Set {keys.version} to {manifest.version}.",
            version=manifest.version,
        )
    if manifest.version != version:
        log.warning(
            "The manifest under %s is of version %d, and the live model is version %d: another "
            "program has put the model there. Reading it as a foreign model.",
            keys.meta,
            manifest.version,
            version,
        )
        return None
    check_pickle(keys, live, manifest)
    if manifest.state_sha256:
        check_state(keys, live, manifest)
    return manifest


def check_no_manifest(keys: Keys, live: Live, version: int) -> None:
    """Check that a model that does not exist has no manifest.

    Args:
        keys: The keys of the registry.
        live: Their contents, without a model.
        version: The live version.

    Raises:
        UnreadableChampionError: There is a manifest, so the model was lost.
    """
    if live.meta is None:
        return
    raise UnreadableChampionError(
        f"There is no live model under {keys.model}, but its manifest is under {keys.meta}: Redis "
        "has evicted the model, or somebody has deleted it.",
        remedy=f'Restore it with "python -m retraining_job rollback --to {version}" if '
        f"{keys.state} still exists; or delete {keys.meta}, too, to start again without a "
        "champion.",
        version=version,
    )


def parse_manifest(keys: Keys, meta: bytes, version: int) -> Manifest:
    """Parse the manifest of the live model.

    Args:
        keys: The keys of the registry.
        meta: The manifest as it is stored.
        version: The live version.

    Returns:
        The manifest.

    Raises:
        UnreadableChampionError: It is too large or damaged.
    """
    remedy = f"Delete {keys.meta} to have the model read as a foreign one, or roll back."
    if len(meta) >= MANIFEST_LIMIT_BYTES:
        problem = f"its manifest under {keys.meta} has {MANIFEST_LIMIT_BYTES:,} bytes or more"
        raise build_champion_error(keys.model, version, problem, remedy=remedy)
    try:
        return read_manifest(meta)
    except UnreadableManifestError as error:
        problem = f"its manifest under {keys.meta} is damaged ({error})"
        raise build_champion_error(keys.model, version, problem, remedy=remedy) from None


def check_pickle(keys: Keys, live: Live, manifest: Manifest) -> None:
    """Check that the pickle is the one of the manifest, byte for byte.

    Args:
        keys: The keys of the registry.
        live: Their contents.
        manifest: The manifest of the live version.

    Raises:
        UnreadableChampionError: It is another one.
    """
    if live.model_bytes != manifest.pickle_bytes:
        problem = (
            f"it has {live.model_bytes:,} bytes and its manifest says {manifest.pickle_bytes:,}"
        )
    elif sha256(live.model or b"") != manifest.pickle_sha256:
        problem = "its bytes do not match the SHA-256 of its manifest"
    else:
        return
    remedy = (
        f"If it was replaced on purpose, delete {keys.meta}. If not, restore a former model with "
        '"python -m retraining_job rollback".'
    )
    problem += ", so it is damaged or was replaced"
    raise build_champion_error(keys.model, manifest.version, problem, remedy=remedy)


def check_state(keys: Keys, live: Live, manifest: Manifest) -> None:
    """Check that the state is the one of the manifest, byte for byte.

    Args:
        keys: The keys of the registry.
        live: Their contents.
        manifest: The manifest of the live version.

    Raises:
        UnreadableChampionError: It is missing, too large, or another one.
    """
    if live.state is None:
        problem = f"its state under {keys.state} is missing"
    elif live.state_bytes > STATE_LIMIT_BYTES:
        problem = (
            f"its state under {keys.state} has {live.state_bytes:,} bytes, more than the limit of "
            f"{STATE_LIMIT_BYTES:,}"
        )
    elif sha256(live.state) != manifest.state_sha256:
        problem = f"its state under {keys.state} does not match the SHA-256 of its manifest"
    else:
        return
    remedy = f"Delete {keys.meta} and {keys.state} to have the pickle read instead, or roll back."
    raise build_champion_error(keys.model, manifest.version, problem, remedy=remedy)


def build_champion_error(
    model_key: str, version: int, problem: str, *, remedy: str = ""
) -> UnreadableChampionError:
    """Build the error for a live model that cannot be evaluated.

    Args:
        model_key: The Redis key of the model.
        version: The live version.
        problem: What is wrong, as the end of a sentence.
        remedy: What to do. By default, to replace or delete the model.

    Returns:
        The error.
    """
    replace_it = (
        f"Put a readable model in its place, or delete {model_key} and the keys that begin with it "
        "to start again without a champion."
    )
    return UnreadableChampionError(
        f"The live model under {model_key}, version {version}, cannot be evaluated: {problem}.",
        remedy=f"It stays live. {remedy or replace_it}",
        version=version,
    )
