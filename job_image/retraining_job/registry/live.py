"""The contents of the live model's keys in Redis, read in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.registry.client import build_wrong_type_error, open_registry
from retraining_job.registry.keys import Keys
from retraining_job.registry.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    UnreadableManifestError,
    read_manifest,
)

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

STATE_LIMIT_BYTES = 4 << 20
"""A state larger than this is not read. Ours have about 25 KB."""

VERSION_LIMIT_BYTES = 100
"""No more of the version's and the epoch's text is read."""

MAX_DIGITS = 15


class Stamp(NamedTuple):
    """Identifies one change of the live model. Publishing compares it; it is opaque to others.

    Args:
        version: The version's text in Redis, empty if there is none.
        epoch: The epoch's text in Redis, empty if there is none.
        changes: The epoch as a number; from the manifest if Redis has lost the key.
    """

    version: bytes
    epoch: bytes
    changes: int


@dataclass(frozen=True)
class Live:
    """The contents of the keys.

    A value is None if its key is missing, and cut off if it is longer than its limit.

    Args:
        model: The pickle; only its first byte if the pickle was not requested.
        model_bytes: The whole length of the pickle.
        version: The version.
        epoch: The number of changes.
        meta: The manifest.
        state: The state.
        state_bytes: The whole length of the state.
        kept: The versions that the history stores, ascending.
    """

    model: bytes | None
    model_bytes: int
    version: bytes | None
    epoch: bytes | None
    meta: bytes | None
    state: bytes | None
    state_bytes: int
    kept: list[int]

    @property
    def manifest(self) -> Manifest | None:
        """The manifest, whichever model it belongs to, or None if it cannot be read."""
        try:
            return read_manifest(self.meta) if self.meta is not None else None
        except UnreadableManifestError:
            return None

    @property
    def own_manifest(self) -> Manifest | None:
        """The manifest of the live version, or None if another program has put the model there."""
        manifest = self.manifest
        is_own = manifest is not None and manifest.version == parse_whole_number(self.version)
        return manifest if is_own else None

    @property
    def highest(self) -> int:
        """The highest version that Redis knows, 0 if there is none."""
        manifest = self.manifest
        described = manifest.version if manifest else 0
        return max(parse_whole_number(self.version) or 0, described, *self.kept, 0)

    @property
    def stamp(self) -> Stamp:
        """The change that was read."""
        manifest = self.manifest
        changes = max(parse_whole_number(self.epoch) or 0, manifest.epoch if manifest else 0)
        return Stamp(self.version or b"", self.epoch or b"", changes)


def read_live(registry: RegistrySettings, *, with_model: bool = True) -> Live:
    """Read the live model and all that belongs to it in one transaction.

    No more of each value is read than its limit.

    Args:
        registry: The settings of the registry.
        with_model: Whether to read the pickle. If False, only its length is read.

    Returns:
        The contents of the keys.

    Raises:
        BadConfigurationError: A key holds a value of another type, or the URL is wrong.
        DependencyUnavailableError: Redis does not answer.
    """
    keys = Keys.of(registry)
    texts = keys.model, keys.version, keys.epoch, keys.meta, keys.state
    model_limit = registry.model_limit_bytes if with_model else 1
    limits = (
        model_limit,
        VERSION_LIMIT_BYTES,
        VERSION_LIMIT_BYTES,
        MANIFEST_LIMIT_BYTES,
        STATE_LIMIT_BYTES,
    )
    with (
        open_registry(registry.redis_url) as client,
        client.pipeline(transaction=True) as transaction,
    ):
        for key in (*texts, keys.history):
            transaction.type(key)
        transaction.hkeys(keys.history)
        for key, limit in zip(texts, limits, strict=True):
            transaction.strlen(key)
            transaction.getrange(key, 0, limit - 1)
        answers = transaction.execute(raise_on_error=False)
        kinds, rest = answers[: len(texts) + 1], answers[len(texts) + 1 :]
        kept, contents = rest[0], rest[1:]
        check_types((*texts, keys.history), kinds, keys.history)
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
        kept=sorted(number for number in map(parse_whole_number, kept) if number is not None),
    )


def check_types(names: Sequence[str], kinds: Sequence[object], history: str) -> None:
    """Check that each key holds a value of the expected type, or none.

    Args:
        names: The keys.
        kinds: The types of their values, as Redis names them, or errors.
        history: The key that holds a hash. The others hold strings.

    Raises:
        BadConfigurationError: A key holds a value of another type.
    """
    for name, kind in zip(names, kinds, strict=True):
        expected = b"hash" if name == history else b"string"
        if isinstance(kind, bytes) and kind not in {b"none", expected}:
            raise build_wrong_type_error(name, kind)


def parse_whole_number(text: bytes | None) -> int | None:
    """Parse a non-negative integer of at most 15 digits. Returns None for anything else."""
    if text is None or not text.isdigit() or len(text) > MAX_DIGITS:
        return None
    return int(text)
