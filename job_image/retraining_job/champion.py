"""From Redis to the champion: the live model and its version, read together. Driven by `run`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining_job.contract import environment_name, value_name
from retraining_job.model import UnreadableModel, loaded
from retraining_job.store import store

if TYPE_CHECKING:
    from retraining_job.model import Model
    from retraining_job.settings import TrainSettings

VERSION = re.compile(rb"[0-9]{1,18}")


class UnreadableChampion(Exception):
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
    stamp: bytes
    """The version's text in Redis, empty where there is none: what publishing compares with."""


def read_champion(settings: TrainSettings) -> Champion:
    """Read the live model and its version in one transaction.

    Raises:
        UnreadableChampion: there is one, and it or its version cannot be read.
        BadConfiguration: the keys or the URL are wrong.
        DependencyAway: Redis does not answer.
    """
    limit = settings.model_limit_mebibytes * 1024 * 1024
    with store(settings.redis_url) as client, client.pipeline(transaction=True) as transaction:
        transaction.exists(settings.model_key)
        transaction.strlen(settings.model_key)
        transaction.getrange(settings.model_key, 0, limit - 1)
        transaction.get(settings.version_key)
        exists, size, blob, stamp = transaction.execute()
    version = version_of(stamp, settings.version_key)
    if not exists:
        return Champion(None, version, stamp or b"")
    if size > limit:
        raise UnreadableChampion(
            f"The live model under {settings.model_key} has {size:,} bytes, and no more than {limit:,} are read.",
            remedy=f"If it is yours, raise {value_name('model_limit_mebibytes')} "
            f"({environment_name('model_limit_mebibytes')}); else replace it or delete the key.",
            version=version,
        )
    try:
        return Champion(loaded(blob, settings.deviation_class), version, stamp or b"")
    except UnreadableModel as error:
        raise unreadable(settings, version, str(error)) from None


def unreadable(settings: TrainSettings, version: int, problem: str) -> UnreadableChampion:
    """Say that the live model cannot be judged, and what to do about it."""
    return UnreadableChampion(
        f"The live model under {settings.model_key}, version {version}, cannot be judged: {problem}.",
        remedy="It stays live. Put a readable model in its place, or delete the key to begin anew.",
        version=version,
    )


def version_of(stamp: bytes | None, key: str) -> int:
    """Read the live version; 0 where there is none."""
    if stamp is None:
        return 0
    if not VERSION.fullmatch(stamp):
        raise UnreadableChampion(
            f"The version of the live model, under {key}, is no whole number but {stamp[:40]!r}.",
            remedy="Set it to the highest version in model_versions.",
        )
    return int(stamp)
