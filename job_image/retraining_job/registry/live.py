"""What stands in Redis under the live model's keys, as bytes of one moment.

Used by champion, rollback, sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.registry.client import store, wrong_type
from retraining_job.registry.keys import Keys
from retraining_job.registry.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    UnreadableManifestError,
    read_manifest,
)

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings

STATE_LIMIT_BYTES = 4 << 20
"""Ours have about 25 KB; a state larger than this is not read."""


class Stamp(NamedTuple):
    """Which change of the live model was seen: publishing compares with it.

    To others it is opaque.
    """

    version: bytes
    """The version's text in Redis, empty where there is none."""
    epoch: bytes
    """The epoch's text in Redis, empty where there is none."""
    changes: int
    """The epoch as a number, from the manifest where Redis has lost the key."""


@dataclass(frozen=True)
class Live:
    """The keys' contents; None where a key is missing, and cut where one is longer than its limit."""

    model: bytes | None
    """Its first byte alone where the pickle was not asked for."""
    model_bytes: int
    """Its whole length."""
    version: bytes | None
    epoch: bytes | None
    meta: bytes | None
    state: bytes | None
    state_bytes: int
    kept: list[int]
    """Versions in the history."""

    @property
    def manifest(self) -> Manifest | None:
        """Give the manifest as it stands there, to whichever model it belongs; None where it cannot be read."""
        try:
            return read_manifest(self.meta) if self.meta is not None else None
        except UnreadableManifestError:
            return None

    @property
    def described(self) -> Manifest | None:
        """Give the manifest where it is the live version's; None where somebody else has put the model there."""
        manifest = self.manifest
        return manifest if manifest and manifest.version == number(self.version) else None

    @property
    def highest(self) -> int:
        """Give the highest version that is known here; 0 where there is none."""
        manifest = self.manifest
        return max(number(self.version) or 0, manifest.version if manifest else 0, *self.kept, 0)

    @property
    def stamp(self) -> Stamp:
        """Say which change this is."""
        manifest = self.manifest
        changes = max(number(self.epoch) or 0, manifest.epoch if manifest else 0)
        return Stamp(self.version or b"", self.epoch or b"", changes)


def read_live(settings: TrainSettings, *, with_model: bool = True) -> Live:
    """Read the live model and all that belongs to it in one transaction, no more of each than its limit.

    Args:
        settings: say where.
        with_model: whether the pickle is needed, and not only its length.

    Raises:
        BadConfiguration: a key holds something of another type, or the URL is wrong.
        DependencyAway: Redis does not answer.
    """
    keys = Keys.of(settings)
    texts = keys.model, keys.version, keys.epoch, keys.meta, keys.state
    model_limit = settings.model_limit_mebibytes << 20 if with_model else 1
    limits = model_limit, 100, 100, MANIFEST_LIMIT_BYTES, STATE_LIMIT_BYTES
    with store(settings.redis_url) as client, client.pipeline(transaction=True) as transaction:
        for key in (*texts, keys.history):
            transaction.type(key)
        transaction.hkeys(keys.history)
        for key, limit in zip(texts, limits, strict=True):
            transaction.strlen(key)
            transaction.getrange(key, 0, limit - 1)
        answers = transaction.execute(raise_on_error=False)
        kinds, kept, contents = (
            answers[: len(texts) + 1],
            answers[len(texts) + 1],
            answers[len(texts) + 2 :],
        )
        for key, kind in zip((*texts, keys.history), kinds, strict=True):
            if isinstance(kind, bytes) and kind not in {
                b"none",
                b"hash" if key == keys.history else b"string",
            }:
                raise wrong_type(key, kind)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
    lengths = contents[::2]
    model, version, epoch, meta, state = (
        None if kind == b"none" else content
        for kind, content in zip(kinds[:-1], contents[1::2], strict=True)
    )
    return Live(
        model=model,
        model_bytes=lengths[0],
        version=version,
        epoch=epoch,
        meta=meta,
        state=state,
        state_bytes=lengths[4],
        kept=sorted(version for version in map(number, kept) if version is not None),
    )


def number(text: bytes | None) -> int | None:
    """Read a whole number; None where it is none."""
    return int(text) if text is not None and text.isdigit() and len(text) <= 15 else None
