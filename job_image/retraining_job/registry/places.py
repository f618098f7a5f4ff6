"""Which former champions the history keeps: the last N different models.

A model that a rollback has made live again is the same model under another version. It takes one
place, so rollbacks cannot push former champions out of the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.registry.history import StoredVersion
    from retraining_job.registry.manifest import Manifest


def choose_dropped(
    stored: Sequence[StoredVersion],
    former: StoredVersion | None,
    new: Manifest,
    places: int,
) -> list[int]:
    """Choose the versions that leave the history when a model goes live.

    Of the same model, the newest version stays. The model that goes live takes no place. What
    cannot be restored has places of its own, so that forged entries cannot push out genuine ones.

    Args:
        stored: The stored versions.
        former: The version that was live until now, or None if there was none.
        new: The manifest of the model that goes live.
        places: How many different models are kept, besides the live one.

    Returns:
        The versions, newest first.
    """
    number = former.number if former else None
    versions = [version for version in stored if version.number != number]
    versions += [former] if former else []
    groups: list[list[StoredVersion]] = [[], []]
    for version in sorted(versions, key=lambda version: -version.number):
        groups[bool(version.problem)].append(version)
    dropped: list[int] = []
    for group in groups:
        dropped += _choose_in_group(group, new, places)
    return sorted(dropped, reverse=True)


def find_identities(versions: Iterable[StoredVersion], new: Manifest) -> dict[int, str]:
    """Find which versions are the same model.

    A model of another program has no manifest. If it was restored, the manifest of the restored
    version names it.

    Args:
        versions: The versions.
        new: The manifest of the model that goes live.

    Returns:
        What the same models have in common, by version.
    """
    versions = list(versions)
    identities = {version.number: version.identity for version in versions}
    manifests = [version.manifest for version in versions if version.manifest] + [new]
    foreign = {version.number for version in versions if version.manifest is None}
    for manifest in manifests:
        if manifest.restored_from in foreign:
            identities[manifest.restored_from] = manifest.identity
    return identities


def _choose_in_group(versions: Sequence[StoredVersion], new: Manifest, places: int) -> list[int]:
    identities = find_identities(versions, new)
    live = new.identity
    dropped, seen, taken = [], set[str](), 0
    for version in versions:
        identity = identities[version.number]
        is_again = identity in seen
        seen.add(identity)
        taken += not is_again and identity != live
        if is_again or (identity != live and taken > places):
            dropped.append(version.number)
    return dropped
