"""The champion: the live model, read together with its version and its manifest.

A champion of this trainer is rebuilt from its state. Its pickle is compared with the checksum in
the manifest, and not loaded. The pickle of a foreign champion is loaded with an allow-list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining_job.registry.integrity import (
    UnreadableChampionError,
    build_champion_error,
    check_manifest,
)
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, Stamp, read_live
from retraining_job.registry.manifest import Manifest
from retraining_job.registry.signing import NotSignedError, check_signature

if TYPE_CHECKING:
    from retraining_job.model.model import Model
    from retraining_job.settings import RegistrySettings

VERSION = re.compile(rb"[0-9]{1,15}")

SIGN = (
    'After somebody has checked that it is yours, sign it with "python -m retraining_job sign"; or '
    'restore a former model with "python -m retraining_job rollback --to N".'
)


@dataclass(frozen=True)
class Champion:
    """The live model at one version.

    Args:
        model: The model, or None if there is no live model.
        version: Its version, 0 if there is none.
        stamp: Identifies the live model. Publishing compares it.
        manifest: Its manifest, or None if another program has put the model there.
        highest: The highest version that Redis or the audit trail knows, at least `version`. A new
            version must be higher.
    """

    model: Model | None
    version: int
    stamp: Stamp
    manifest: Manifest | None = None
    highest: int = 0

    def without_model(self) -> Champion:
        """Return the champion without its model, which can take most of the memory."""
        return replace(self, model=None)


def read_champion(registry: RegistrySettings) -> Champion:
    """Read the live model, its version and its manifest in one transaction.

    Raises:
        UnreadableChampionError: There is a model, and it or its manifest cannot be read or trusted.
        BadConfigurationError: The keys or the URL are wrong.
        DependencyUnavailableError: Redis does not answer.
    """
    live = read_live(registry)
    keys = Keys.of(registry)
    version = parse_version(live.version, keys.version)
    manifest = check_manifest(registry, live, version)
    if live.model is None:
        return Champion(None, version, live.stamp, highest=live.highest)
    try:
        check_signature(registry.signing_key, keys.model, manifest)
    except NotSignedError as error:
        raise build_champion_error(registry.model_key, version, str(error), remedy=SIGN) from None
    if manifest and manifest.state_sha256:
        model = rebuild_from_state(registry, live, version)
    else:
        model = read_foreign_pickle(registry, live, version)
    return Champion(model, version, live.stamp, manifest, live.highest)


def rebuild_from_state(registry: RegistrySettings, live: Live, version: int) -> Model:
    """Rebuild the model from its state.

    Args:
        registry: The settings of the registry.
        live: The contents of the keys.
        version: The live version.

    Returns:
        The model.

    Raises:
        UnreadableChampionError: The state cannot be read.
    """
    from retraining_job.model.model import UnreadableModelError  # noqa: PLC0415  # brings river
    from retraining_job.model.state import read_state  # noqa: PLC0415

    try:
        return read_state(live.state or b"")
    except UnreadableModelError as error:
        raise build_champion_error(registry.model_key, version, str(error)) from None
    except Exception as error:  # noqa: BLE001  # a forged state can raise anything
        problem = (
            f"its state under {Keys.of(registry).state} cannot be read "
            f"({type(error).__name__}: {error})"
        )
        raise build_champion_error(registry.model_key, version, problem) from None


def read_foreign_pickle(registry: RegistrySettings, live: Live, version: int) -> Model:
    """Read the pickle with the allow-list.

    Args:
        registry: The settings of the registry.
        live: The contents of the keys.
        version: The live version.

    Returns:
        The model.

    Raises:
        UnreadableChampionError: It is not a pickle of a model.
    """
    from retraining_job.model.model import UnreadableModelError  # noqa: PLC0415  # brings river
    from retraining_job.model.pickle_reader import read_pickle  # noqa: PLC0415

    try:
        return read_pickle(live.model or b"", registry.deviation_class)
    except UnreadableModelError as error:
        raise build_champion_error(registry.model_key, version, str(error)) from None


def parse_version(text: bytes | None, key: str) -> int:
    """Parse the live version.

    Args:
        text: The text in Redis, or None if there is none.
        key: The Redis key that it was read from.

    Returns:
        The version, 0 if there is none.

    Raises:
        UnreadableChampionError: It is not a whole number.
    """
    if text is None:
        return 0
    if not VERSION.fullmatch(text):
        raise UnreadableChampionError(
            f"The version of the live model, under {key}, is not a whole number: {text[:40]!r}.",
            remedy="Set it to the highest version in model_versions.",
        )
    return int(text)
