"""The former champions that Redis stores for a rollback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from retraining_job.contract import parse_version
from retraining_job.registry.client import open_registry
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import STATE_LIMIT_BYTES, Live, read_live
from retraining_job.registry.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    UnreadableManifestError,
    manifest_subject,
    read_manifest,
    sha256,
)
from retraining_job.registry.signing import NotSignedError, SigningKeys, check_signature

if TYPE_CHECKING:
    from retraining_job.registry.freshness import AuditedVersions
    from retraining_job.settings import RegistrySettings

ENTRIES_LIMIT = 500
"""The newest entries that are read. A history has one or two for each place of at most 100."""

ENTRY_LIMIT_BYTES = 2 * (STATE_LIMIT_BYTES + MANIFEST_LIMIT_BYTES)
"""A larger entry is not read. Ours have about 30 KB; quoting a text can lengthen it."""

HISTORY_LIMIT_BYTES = 64 << 20
"""No more of all entries is read."""

log = logging.getLogger(__name__)


class HistoryEntry(BaseModel):
    """The value of a former champion in the hash. Its parts are stored as they were when live."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    manifest: str | None = None
    """The text of the manifest, with its signature. None if another program had put the model
    there."""
    state: str | None = None
    """None if the pickle is stored instead."""


@dataclass(frozen=True)
class StoredVersion:
    """A version that is live, or that can be restored.

    Args:
        number: The version number.
        live: Whether it is live.
        manifest: Its manifest, or None if another program had put it there.
        state: Its state, or None if the pickle is stored instead.
        problem: Why it cannot be restored, as the end of a sentence; empty if it can.
        is_unsigned: Whether the problem is only that it is not signed.
    """

    number: int
    live: bool = False
    manifest: Manifest | None = None
    state: str | None = None
    problem: str = ""
    is_unsigned: bool = False

    @property
    def identity(self) -> str:
        """What models have in common that are the same, whatever their version is."""
        return self.manifest.identity if self.manifest else f"version {self.number}"


def read_versions(registry: RegistrySettings) -> list[StoredVersion]:
    """Read the live version and the stored ones, newest first.

    Raises:
        BadConfigurationError: A key holds a value of another type, or the URL is wrong.
        DependencyUnavailableError: Redis does not answer.
    """
    live = read_live(registry, with_model=False)
    present = get_live_version(registry, live)
    versions = read_stored_versions(registry)
    if present and live.model is not None:
        versions.append(present)
    return sorted(versions, key=lambda version: -version.number)


def get_live_version(registry: RegistrySettings, live: Live) -> StoredVersion | None:
    """Return what the live keys hold as a version that can be restored.

    Args:
        registry: The settings of the registry.
        live: The contents of the live model's keys.

    Returns:
        The version, or None if there is nothing, or its version is no number.
    """
    number = parse_version(live.version)
    if number is None or (live.model is None and live.state is None):
        return None
    manifest = live.own_manifest
    if live.meta is None or (manifest is None and not live.is_signing):
        return judge_entry(SigningKeys.of(registry), registry.model_key, number, None, live=True)
    state = live.state.decode(errors="replace") if live.state is not None else None
    entry = HistoryEntry(
        manifest=live.meta.decode(errors="replace"),
        state=state if manifest and manifest.state_sha256 else None,
    )
    return judge_entry(SigningKeys.of(registry), registry.model_key, number, entry, live=True)


def read_stored_versions(registry: RegistrySettings) -> list[StoredVersion]:
    """Read the hash of former champions, in no order.

    Fields that are no version are left out, and logged.

    Args:
        registry: The settings of the registry.

    Returns:
        The versions, with what is wrong with each.

    Raises:
        BadConfigurationError: A key holds a value of another type, or the URL is wrong.
        DependencyUnavailableError: Redis does not answer.
    """
    keys = Keys.of(registry)
    with open_registry(registry.redis_url) as client:
        fields = cast(list[bytes], client.hkeys(keys.history))
        numbers = sorted(filter_versions(fields, keys.history), reverse=True)[:ENTRIES_LIMIT]
        with client.pipeline(transaction=False) as pipeline:
            for number in numbers:
                pipeline.hstrlen(keys.history, str(number))
                pipeline.strlen(keys.kept_pickle(number))
            lengths = pipeline.execute()
        texts: dict[int, bytes | None] = dict.fromkeys(numbers)
        small = choose_readable(dict(zip(numbers, lengths[::2], strict=True)))
        with client.pipeline(transaction=False) as pipeline:
            for number in small:
                pipeline.hget(keys.history, str(number))
            texts.update(zip(small, pipeline.execute(), strict=True))
    signing_keys = SigningKeys.of(registry)
    versions = []
    for number, pickle_bytes in zip(numbers, lengths[1::2], strict=True):
        entry = parse_entry(texts[number])
        version = (
            StoredVersion(number, problem="its entry in the history is damaged")
            if entry is None
            else judge_entry(signing_keys, registry.model_key, number, entry)
        )
        versions.append(check_pickle_exists(version, keys, pickle_bytes))
    return versions


def choose_readable(lengths: Mapping[int, int]) -> list[int]:
    """Choose the entries that are small enough to be read, and together not too large.

    Args:
        lengths: The length of each entry in bytes, by version, newest first.

    Returns:
        The versions.
    """
    readable, left = [], HISTORY_LIMIT_BYTES
    for number, length in lengths.items():
        left -= min(length, ENTRY_LIMIT_BYTES)
        if length <= ENTRY_LIMIT_BYTES and left >= 0:
            readable.append(number)
    return readable


def filter_versions(fields: list[bytes], key: str) -> list[int]:
    """Return the fields of the history that are versions. Log the others.

    Args:
        fields: The names of the fields.
        key: The key of the hash.

    Returns:
        The versions, in the same order.
    """
    parsed = [(field, parse_version(field)) for field in fields]
    wrong = [field for field, number in parsed if number is None]
    if wrong:
        log.warning(
            "The history under %s has %d fields that are no version, such as %r. They are ignored. "
            "Remove them with HDEL.",
            key,
            len(wrong),
            wrong[0][:40],
        )
    return [number for _, number in parsed if number is not None]


def parse_entry(text: bytes | None) -> HistoryEntry | None:
    """Parse one value of the hash. Returns None if it is damaged or was too large to be read."""
    try:
        return None if text is None else HistoryEntry.model_validate_json(text)
    except ValidationError:
        return None


def judge_entry(
    signing_keys: SigningKeys,
    model_key: str,
    number: int,
    entry: HistoryEntry | None,
    *,
    live: bool = False,
) -> StoredVersion:
    """Check whether what is stored of a version is complete, unchanged and signed.

    Args:
        signing_keys: The keys of the installation.
        model_key: The Redis key of the model.
        number: The version as which it is stored.
        entry: What is stored, or None if that is only a pickle of another program.
        live: Whether it is live.

    Returns:
        The version, with its manifest if that can be read.
    """
    entry = entry or HistoryEntry()
    text = None if entry.manifest is None else entry.manifest.encode(errors="replace")
    manifest, problem = None, ""
    try:
        manifest = read_manifest(text) if text is not None else None
    except UnreadableManifestError as error:
        problem = f"its manifest is damaged ({error})"
    if manifest and manifest.version != number:
        stored_as = f"what is stored as version {number} is version {manifest.version}"
        manifest, problem = None, f"{stored_as}, so it is damaged"
    if entry.state is not None and not problem:
        expected = manifest.state_sha256 if manifest else ""
        if sha256(entry.state.encode(errors="replace")) != expected:
            problem = f"the stored state of version {number} is damaged"
    is_unsigned = False
    try:
        check_signature(signing_keys, manifest_subject(model_key, number), text)
    except NotSignedError as error:
        is_unsigned = not problem
        problem = problem or str(error)
    return StoredVersion(number, live, manifest, entry.state, problem, is_unsigned)


def check_pickle_exists(version: StoredVersion, keys: Keys, pickle_bytes: int) -> StoredVersion:
    """Check that the pickle of a version without a state exists.

    Args:
        version: A stored version.
        keys: The keys of the registry.
        pickle_bytes: The length of what is stored under the key of its pickle; 0 if nothing is.

    Returns:
        The version, with a problem if its pickle is missing.
    """
    if version.problem or version.state is not None or pickle_bytes:
        return version
    problem = (
        f"the pickle of version {version.number}, under {keys.kept_pickle(version.number)}, is "
        "missing: Redis has evicted it, or somebody has deleted it"
    )
    return StoredVersion(version.number, manifest=version.manifest, problem=problem)


def find_highest_version(live: Live, stored: list[StoredVersion], audited: AuditedVersions) -> int:
    """Find the highest version that is proven. A new version must be higher.

    A number counts only if what is stored under it can be restored, so that a forged field of the
    history has no effect.

    Args:
        live: The contents of the live model's keys.
        stored: The stored versions.
        audited: What the audit trail knows.

    Returns:
        The version, 0 if there is none.
    """
    numbers = [version.number for version in stored if not version.problem]
    return max(live.highest, audited.last, *numbers, 0)
