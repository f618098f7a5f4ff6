"""Rollback in Redis: a former champion goes live again, under a version number of its own.

A version number is never used twice, because readers and the audit trail identify models by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from retraining_job.contract import Result, VerdictReason, value_name
from retraining_job.errors import BadConfigurationError
from retraining_job.registry.client import open_registry
from retraining_job.registry.history import HistoryEntry, Version, read_stored_versions
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, parse_whole_number, read_live
from retraining_job.registry.manifest import Manifest, ModelProvenance, get_writer, sha256
from retraining_job.registry.publish import ModelPackage, Overtaken, publish, read_own_result
from retraining_job.registry.signing import NotSignedError, check_signature

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

log = logging.getLogger(__name__)


class RollbackImpossibleError(BadConfigurationError):
    """The requested version cannot go live again. The text says why, and which versions can."""


def restore_version(
    registry: RegistrySettings,
    to: int,
    *,
    floor: int,
    rehearse: Callable[[Result], None] | None = None,
) -> Result:
    """Make a stored version live again in one atomic step.

    A second attempt of the same run finds what the first has done.

    Args:
        registry: The settings of the registry, with the run id under which this is recorded.
        to: The version to restore.
        floor: The highest version that the audit trail knows.
        rehearse: Called with the result before anything is published. Raises if the result could
            not be recorded.

    Returns:
        A result without a verdict, because nothing was evaluated.

    Raises:
        RollbackImpossibleError: There is no such version; or it is damaged, not signed or live; or
            another model went live meanwhile.
        BadConfigurationError: The keys or the URL are wrong.
        DependencyUnavailableError: Redis does not answer or cannot take the model. Repeat the call.
    """
    if done := read_own_result(registry):
        return done
    started_at = datetime.now(UTC)
    live = read_live(registry, with_model=False)
    package = build_package(registry, find_version(registry, live, to))
    version = max(live.highest, floor) + 1
    former = parse_whole_number(live.version)
    before = "no version was live" if former is None else f"version {former} was live"
    result = Result(
        run_id=registry.run_id,
        promoted=True,
        reason=VerdictReason.ROLLBACK,
        message=f"Version {to} is live again, as version {version}. Before, {before}.",
        n_samples=package.provenance.n_samples,
        version=version,
        champion_version=former,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
    if rehearse:
        rehearse(result)
    outcome = publish(registry, package, expected_live=live.stamp, result=result)
    if isinstance(outcome, Overtaken):
        raise RollbackImpossibleError(
            f"Meanwhile {outcome} went live, so nothing was changed. Check it, and repeat the "
            "command if you still want the rollback."
        )
    return outcome.result


def find_version(registry: RegistrySettings, live: Live, to: int) -> Version:
    """Find the version to restore.

    Args:
        registry: The settings of the registry.
        live: The contents of the live model's keys.
        to: The version number.

    Returns:
        The version.

    Raises:
        RollbackImpossibleError: It is live, or it is not stored.
    """
    versions = {version.number: version for version in read_stored_versions(registry)}
    if lost := get_lost_version(live):
        versions[lost.number] = lost
    if live.model is not None and parse_whole_number(live.version) == to:
        raise RollbackImpossibleError(f"Version {to} is live already. There is nothing to restore.")
    if to in versions:
        return versions[to]
    if not versions:
        raise RollbackImpossibleError(
            f"There is no former champion under {Keys.of(registry).history} to restore."
        )
    stored = ", ".join(map(str, sorted(versions)))
    raise RollbackImpossibleError(
        f"Version {to} is not stored. Stored versions: {stored}. {value_name('history_versions')} "
        "sets how many are stored."
    )


def get_lost_version(live: Live) -> Version | None:
    """Return the live version if its pickle is lost and its state is not, else None."""
    manifest = live.own_manifest
    if live.model is not None or live.state is None or manifest is None:
        return None
    entry = HistoryEntry(manifest=manifest, state=live.state.decode(errors="replace"))
    return Version(manifest.version, live=True, entry=entry)


def build_package(registry: RegistrySettings, version: Version) -> ModelPackage:
    """Build the package of a former champion after checking that it is unchanged.

    Args:
        registry: The settings of the registry.
        version: The version to restore.

    Returns:
        The package.

    Raises:
        RollbackImpossibleError: It is damaged or not signed.
    """
    number, entry = version.number, version.entry
    if entry is None:
        raise RollbackImpossibleError(
            f"The stored entry of version {number} cannot be read: it is damaged."
        )
    try:
        check_signature(registry.signing_key, registry.model_key, entry.manifest)
    except NotSignedError as error:
        raise RollbackImpossibleError(
            f"Version {number} cannot be restored: {error}. If you are certain that nobody has "
            "changed it, restore it without the key, and then sign the live model with "
            '"python -m retraining_job sign".'
        ) from None
    if entry.manifest and entry.manifest.version != number:
        raise RollbackImpossibleError(
            f"What is stored as version {number} is version {entry.manifest.version}, so it is "
            "damaged."
        )
    provenance = entry.manifest or ModelProvenance()
    provenance = provenance.model_copy(update={"restored_from": number})
    if entry.state is None:
        pickle = read_stored_pickle(registry, number, entry.manifest)
        return ModelPackage(pickle, None, provenance)
    if entry.manifest is None or sha256(entry.state.encode()) != entry.manifest.state_sha256:
        raise RollbackImpossibleError(f"The stored state of version {number} is damaged.")
    pickle = write_former_pickle(registry, entry.state, entry.manifest)
    return ModelPackage(pickle, entry.state, provenance)


def read_stored_pickle(
    registry: RegistrySettings, version: int, manifest: Manifest | None
) -> bytes:
    """Read the pickle of a former champion that has no state.

    Args:
        registry: The settings of the registry.
        version: The version.
        manifest: Its manifest, or None if another program had published it.

    Returns:
        The pickle.

    Raises:
        RollbackImpossibleError: It is missing or damaged.
    """
    key = Keys.of(registry).kept_pickle(version)
    with open_registry(registry.redis_url) as client:
        pickle = cast(bytes | None, client.get(key))
    if pickle is None:
        raise RollbackImpossibleError(
            f"The pickle of version {version}, under {key}, is missing: Redis has evicted it, or "
            "somebody has deleted it."
        )
    if manifest and sha256(pickle) != manifest.pickle_sha256:
        raise RollbackImpossibleError(f"The pickle of version {version}, under {key}, is damaged.")
    return pickle


def write_former_pickle(registry: RegistrySettings, state: str, manifest: Manifest) -> bytes:
    """Write the pickle of a model from its state, and compare it with the original.

    Args:
        registry: The settings of the registry.
        state: The state.
        manifest: The manifest of the version.

    Returns:
        The pickle.

    Raises:
        RollbackImpossibleError: The state cannot be read; or the program that wrote the original
            pickle writes another one now.
    """
    try:
        pickle = write_pickle_from_state(state, registry.deviation_class)
    except ValueError as error:
        raise RollbackImpossibleError(
            f"The stored state of version {manifest.version} {error}."
        ) from None
    if sha256(pickle) != manifest.pickle_sha256:
        writer = get_writer(registry.image, registry.deviation_class)
        differing = [name for name, value in writer.items() if value != getattr(manifest, name)]
        if not differing:
            raise RollbackImpossibleError(
                f"The stored state of version {manifest.version} does not reproduce its model."
            )
        log.warning(
            "The pickle of version %d differs from the original, because it was written by another "
            "%s; the trees and their masses are the same.",
            manifest.version,
            " and ".join(differing).replace("_", " "),
        )
    return pickle


def write_pickle_from_state(state: str, deviation_class: str) -> bytes:
    """Write the readers' pickle of a model from its state.

    Args:
        state: The state.
        deviation_class: The name under which the pickle's deviation score is imported.

    Returns:
        The pickle.

    Raises:
        ValueError: The state cannot be read. The text is the end of a sentence.
    """
    from retraining_job.model.model import UnreadableModelError  # noqa: PLC0415  # brings river
    from retraining_job.model.pickle_writer import write_pickle  # noqa: PLC0415
    from retraining_job.model.state import read_state  # noqa: PLC0415

    try:
        model = read_state(state)
    except UnreadableModelError as error:
        raise ValueError(f"cannot be read: {error}") from None
    except Exception as error:  # noqa: BLE001  # a forged state can raise anything
        raise ValueError(f"cannot be read ({type(error).__name__}: {error})") from None
    return write_pickle(model, deviation_class)
