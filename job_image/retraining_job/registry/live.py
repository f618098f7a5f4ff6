"""The contents of the live model's keys in Redis, read in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.contract import parse_version
from retraining_job.registry.client import build_wrong_type_error, open_registry
from retraining_job.registry.keys import Keys
from retraining_job.registry.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    UnreadableManifestError,
    manifest_subject,
    read_manifest,
)
from retraining_job.registry.signing import NotSignedError, SigningKeys, check_signature

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

STATE_LIMIT_BYTES = 4 << 20
"""A state larger than this is not read. Ours have about 25 KB."""

VERSION_LIMIT_BYTES = 100
"""No more of the version's and the epoch's text is read."""


class Stamp(NamedTuple):
    """Identifies one change of the live model. Publishing compares it; it is opaque to others.

    Args:
        version: The version's text in Redis, empty if there is none.
        epoch: The epoch's text in Redis, empty if there is none.
        changes: The epoch as a number. The one of the manifest counts if Redis has lost the key, or
            if manifests are signed.
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
        manifest: The manifest, whichever version it belongs to. None if it cannot be read or, with
            a signing key, is not signed.
        is_signing: Whether a signing key is set.
    """

    model: bytes | None
    model_bytes: int
    version: bytes | None
    epoch: bytes | None
    meta: bytes | None
    state: bytes | None
    state_bytes: int
    manifest: Manifest | None
    is_signing: bool

    @property
    def own_manifest(self) -> Manifest | None:
        """The manifest of the live version, or None if another program has put the model there."""
        manifest = self.manifest
        is_own = manifest is not None and manifest.version == parse_version(self.version)
        return manifest if is_own else None

    @property
    def highest(self) -> int:
        """The highest version that these keys prove, 0 if there is none.

        With a signing key, only a signed manifest proves a version.
        """
        described = self.manifest.version if self.manifest else 0
        return described if self.is_signing else max(described, parse_version(self.version) or 0)

    @property
    def stamp(self) -> Stamp:
        """The change that was read."""
        described = self.manifest.epoch if self.manifest else 0
        counted = 0 if self.is_signing else parse_version(self.epoch) or 0
        return Stamp(self.version or b"", self.epoch or b"", max(counted, described))


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
        for key, limit in zip(texts, limits, strict=True):
            transaction.strlen(key)
            transaction.getrange(key, 0, limit - 1)
        answers = transaction.execute(raise_on_error=False)
        kinds, contents = answers[: len(texts) + 1], answers[len(texts) + 1 :]
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
        manifest=read_trusted_manifest(SigningKeys.of(registry), keys.model, meta),
        is_signing=SigningKeys.of(registry).are_set,
    )


def read_trusted_manifest(
    signing_keys: SigningKeys, model_key: str, meta: bytes | None
) -> Manifest | None:
    """Parse a manifest and check that it is signed for the version that it names.

    Args:
        signing_keys: The keys of the installation.
        model_key: The Redis key of the model.
        meta: The manifest as it is stored, or None if there is none.

    Returns:
        The manifest, or None if it cannot be read or, with a signing key, is not signed.
    """
    if meta is None:
        return None
    try:
        manifest = read_manifest(meta)
        check_signature(signing_keys, manifest_subject(model_key, manifest.version), meta)
    except (UnreadableManifestError, NotSignedError):
        return None
    return manifest


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
