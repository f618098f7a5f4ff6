"""From Redis to the champion: the live model, read together with its version and whatever vouches for it.

A champion of this trainer's own is rebuilt from its state, and its pickle is looked at as bytes
alone. A foreign one is read by an allow-list. Driven by `run`.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining_job.contract import environment_name, value_name
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import STATE_LIMIT_BYTES, Live, Stamp, read_live
from retraining_job.registry.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    UnreadableManifestError,
    read_manifest,
    sha256,
)
from retraining_job.registry.signing import NotSignedError, check_signature

if TYPE_CHECKING:
    from retraining_job.contract import Tunables
    from retraining_job.model.model import Model
    from retraining_job.settings import TrainSettings

VERSION = re.compile(rb"[0-9]{1,15}")

SIGN = (
    'Once somebody has made sure that it is yours, "python -m retraining_job sign" signs it; '
    'a former one comes back with "python -m retraining_job rollback --to N".'
)

log = logging.getLogger(__name__)


class UnreadableChampionError(Exception):
    """There is a live model, and it cannot be judged; the text says what is wrong and what to do."""

    def __init__(self, problem: str, *, remedy: str, version: int | None = None) -> None:
        super().__init__(f"{problem} {remedy}")
        self.version = version


@dataclass(frozen=True)
class Champion:
    """The live model at one version."""

    model: Model | None
    """None where there is no live model yet."""
    version: int
    """0 where there is none yet."""
    stamp: Stamp
    """What publishing compares with; not for others to look into."""
    manifest: Manifest | None = None
    """None where it was not this trainer that has put the model there."""
    highest: int = 0
    """The highest version that Redis knows of, at least `version`: the next one is above it."""


def read_champion(settings: TrainSettings) -> Champion:
    """Read the live model, its version and its manifest in one transaction.

    Raises:
        UnreadableChampionError: there is one, and it or what belongs to it cannot be read or believed.
        BadConfiguration: the keys or the URL are wrong.
        DependencyAway: Redis does not answer.
    """
    live = read_live(settings)
    keys = Keys.of(settings)
    version = version_of(live.version, keys.version)
    manifest = described(settings, live, version)
    if live.model is None:
        return Champion(None, version, live.stamp, highest=live.highest)
    try:
        check_signature(settings.signing_key, keys.model, manifest)
    except NotSignedError as error:
        raise unreadable(settings, version, str(error), remedy=SIGN) from None
    model = (
        rebuilt(settings, live, version)
        if manifest and manifest.state_sha256
        else unpickled(settings, live, version)
    )
    return Champion(model, version, live.stamp, manifest, live.highest)


def described(settings: TrainSettings, live: Live, version: int) -> Manifest | None:
    """Give the live model's manifest once it is certain that model, manifest and state belong together.

    None where somebody else than this trainer has put the model there, or where there is none.

    Raises:
        UnreadableChampionError: they do not, or one of them is missing, damaged or too large.
    """
    keys = Keys.of(settings)
    if live.model is None:
        if live.meta is None:
            return None
        raise UnreadableChampionError(
            f"There is no live model under {keys.model}, but its manifest is under {keys.meta}: Redis has evicted the "
            "model, or somebody has deleted it.",
            remedy=f'"python -m retraining_job rollback --to {version}" puts it back where {keys.state} is still '
            f"there; or delete {keys.meta}, too, to begin anew.",
            version=version,
        )
    limit = settings.model_limit_mebibytes << 20
    if live.model_bytes > limit:
        raise UnreadableChampionError(
            f"The live model under {keys.model} has {live.model_bytes:,} bytes, and no more than {limit:,} are read.",
            remedy=f"If it is yours, raise {value_name('model_limit_mebibytes')} "
            f"({environment_name('model_limit_mebibytes')}); else replace it or delete the key.",
            version=version,
        )
    if live.meta is None:
        return None
    without_manifest = (
        f"Delete {keys.meta} to have it read as a model of somebody else's, or roll back."
    )
    if len(live.meta) >= MANIFEST_LIMIT_BYTES:
        problem = f"its manifest under {keys.meta} has {MANIFEST_LIMIT_BYTES:,} bytes or more"
        raise unreadable(settings, version, problem, remedy=without_manifest)
    try:
        manifest = read_manifest(live.meta)
    except UnreadableManifestError as error:
        problem = f"its manifest under {keys.meta} is damaged ({error})"
        raise unreadable(settings, version, problem, remedy=without_manifest) from None
    if live.version is None:
        raise UnreadableChampionError(
            f"The version of the live model, under {keys.version}, is gone; its manifest says {manifest.version}.",
            remedy=f"Set {keys.version} to {manifest.version}.",
            version=manifest.version,
        )
    if manifest.version != version:
        log.warning(
            "The manifest under %s is that of version %d and the live model is version %d: somebody else has put it "
            "there, and it is read as theirs.",
            keys.meta,
            manifest.version,
            version,
        )
        return None
    checked_pickle(settings, live, manifest)
    if manifest.state_sha256:
        checked_state(settings, live, manifest)
    return manifest


def checked_pickle(settings: TrainSettings, live: Live, manifest: Manifest) -> None:
    """Make sure that the pickle is the manifest's, to the last byte."""
    if live.model_bytes != manifest.pickle_bytes:
        problem = (
            f"it has {live.model_bytes:,} bytes and its manifest says {manifest.pickle_bytes:,}"
        )
    elif sha256(live.model or b"") != manifest.pickle_sha256:
        problem = "its bytes are not those that its manifest has the SHA-256 of"
    else:
        return
    remedy = (
        f'If it was replaced on purpose, delete {Keys.of(settings).meta}; if not, "python -m retraining_job rollback" '
        "puts a former model in its place."
    )
    raise unreadable(
        settings, manifest.version, f"{problem}, so it is damaged or was replaced", remedy=remedy
    )


def checked_state(settings: TrainSettings, live: Live, manifest: Manifest) -> None:
    """Make sure that the state is the manifest's, to the last byte."""
    keys = Keys.of(settings)
    if live.state is None:
        problem = f"its state under {keys.state} is gone"
    elif live.state_bytes > STATE_LIMIT_BYTES:
        problem = f"its state under {keys.state} has {live.state_bytes:,} bytes, more than the {STATE_LIMIT_BYTES:,}"
        problem += " that are read"
    elif sha256(live.state) != manifest.state_sha256:
        problem = (
            f"its state under {keys.state} is not the one that its manifest has the SHA-256 of"
        )
    else:
        return
    remedy = f"Delete {keys.meta} and {keys.state} to have the pickle read instead, or roll back."
    raise unreadable(settings, manifest.version, problem, remedy=remedy)


def rebuilt(settings: TrainSettings, live: Live, version: int) -> Model:
    """Make the model anew from its state."""
    from retraining_job.model.model import UnreadableModelError  # noqa: PLC0415  # brings river
    from retraining_job.model.state import read_state  # noqa: PLC0415

    try:
        return read_state(live.state or b"")
    except UnreadableModelError as error:
        raise unreadable(settings, version, str(error)) from None
    except Exception as error:  # noqa: BLE001  # what a forged state raises is not known
        problem = f"its state under {Keys.of(settings).state} cannot be read ({type(error).__name__}: {error})"
        raise unreadable(settings, version, problem) from None


def unpickled(settings: TrainSettings, live: Live, version: int) -> Model:
    """Read the pickle by the allow-list."""
    from retraining_job.model.model import UnreadableModelError  # noqa: PLC0415  # brings river
    from retraining_job.model.pickle_reader import read_pickle  # noqa: PLC0415  # brings river

    try:
        return read_pickle(live.model or b"", settings.deviation_class)
    except UnreadableModelError as error:
        raise unreadable(settings, version, str(error)) from None


def unreadable(
    settings: Tunables, version: int, problem: str, *, remedy: str = ""
) -> UnreadableChampionError:
    """Say that the live model cannot be judged, and what to do about it."""
    anew = f"Put a readable model in its place, or delete {settings.model_key} and what begins with it to begin anew."
    return UnreadableChampionError(
        f"The live model under {settings.model_key}, version {version}, cannot be judged: {problem}.",
        remedy=f"It stays live. {remedy or anew}",
        version=version,
    )


def version_of(stamp: bytes | None, key: str) -> int:
    """Read the live version; 0 where there is none."""
    if stamp is None:
        return 0
    if not VERSION.fullmatch(stamp):
        raise UnreadableChampionError(
            f"The version of the live model, under {key}, is no whole number but {stamp[:40]!r}.",
            remedy="Set it to the highest version in model_versions.",
        )
    return int(stamp)
