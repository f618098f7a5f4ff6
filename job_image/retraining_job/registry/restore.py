"""Rollback in Redis: a former champion goes live again, under a version number of its own.

A version number is never used twice, because readers and the audit trail identify models by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from retraining_job.contract import Result, VerdictReason, parse_version, value_name
from retraining_job.errors import BadConfigurationError
from retraining_job.registry.client import open_registry
from retraining_job.registry.freshness import UNKNOWN_TO_AUDIT, AuditedVersions
from retraining_job.registry.history import (
    StoredVersion,
    find_highest_version,
    get_live_version,
    read_stored_versions,
)
from retraining_job.registry.integrity import UnreadableChampionError, check_version
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, read_live
from retraining_job.registry.manifest import Manifest, ModelProvenance, get_writer, sha256
from retraining_job.registry.package import ModelPackage, get_next_version
from retraining_job.registry.publish import Overtaken, publish
from retraining_job.registry.run_document import read_own_result

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

log = logging.getLogger(__name__)


class RollbackImpossibleError(BadConfigurationError):
    """The requested version cannot go live again. The text says why, and which versions can."""


def restore_version(
    registry: RegistrySettings,
    to: int,
    *,
    audited: AuditedVersions = UNKNOWN_TO_AUDIT,
    rehearse: Callable[[Result], None] | None = None,
) -> Result:
    """Make a stored version live again in one atomic step.

    A second attempt of the same run finds what the first has done.

    Args:
        registry: The settings of the registry, with the run id under which this is recorded.
        to: The version to restore.
        audited: What the audit trail knows.
        rehearse: Called with the result before anything is published. Raises if the result could
            not be recorded.

    Returns:
        A result without a verdict, because nothing was evaluated.

    Raises:
        RollbackImpossibleError: There is no such version; or it is damaged, not signed or live; or
            another model went live meanwhile; or the live version is no number.
        BadConfigurationError: The keys or the URL are wrong.
        DependencyUnavailableError: Redis does not answer or cannot take the model. Repeat the call.
    """
    if done := read_own_result(registry, audited):
        return done
    started_at = datetime.now(UTC)
    live = read_live(registry, with_model=False)
    try:
        check_version(live.version, Keys.of(registry).version)
    except UnreadableChampionError as error:
        raise RollbackImpossibleError(f"{error} Nothing was changed.") from None
    stored = read_stored_versions(registry)
    package = build_package(registry, find_version(registry, live, stored, to, audited))
    version = get_next_version(find_highest_version(live, stored, audited))
    former = parse_version(live.version)
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
    outcome = publish(registry, package, expected_live=live.stamp, result=result, audited=audited)
    if isinstance(outcome, Overtaken):
        raise RollbackImpossibleError(
            f"Meanwhile {outcome} went live, so nothing was changed. Check it, and repeat the "
            "command if you still want the rollback."
        )
    return outcome.result


def find_version(
    registry: RegistrySettings,
    live: Live,
    stored: list[StoredVersion],
    to: int,
    audited: AuditedVersions,
) -> StoredVersion:
    """Find the version to restore.

    The live version can be restored if its pickle is lost, or if the audit trail knows a newer one:
    it then goes live under a new version.

    Args:
        registry: The settings of the registry.
        live: The contents of the live model's keys.
        stored: The stored versions.
        to: The version number.
        audited: What the audit trail knows.

    Returns:
        The version.

    Raises:
        RollbackImpossibleError: It is live, or it is not stored.
    """
    versions = {version.number: version for version in stored}
    present = get_live_version(registry, live)
    if present and (live.model is None or present.number < audited.required):
        versions[present.number] = present
    elif present and present.number == to:
        raise RollbackImpossibleError(f"Version {to} is live already. There is nothing to restore.")
    if to in versions:
        return versions[to]
    if not versions:
        raise RollbackImpossibleError(
            f"There is no former champion under {Keys.of(registry).history} to restore."
        )
    numbers = ", ".join(map(str, sorted(versions)))
    raise RollbackImpossibleError(
        f"Version {to} is not stored. {find_copy(to, [*stored, *([present] if present else [])])}"
        f"Stored versions: {numbers}. {value_name('history_versions')} sets how many different "
        "models are stored."
    )


def find_copy(to: int, versions: list[StoredVersion]) -> str:
    """Find the version under which a model is stored that was restored from another version.

    Args:
        to: The version that is not stored.
        versions: The stored versions and the live one.

    Returns:
        A sentence that names it, with a space after it, or an empty text.
    """
    for version in sorted(versions, key=lambda version: -version.number):
        if version.manifest and version.manifest.restored_from == to:
            where = "is live" if version.live else "is stored"
            return f"The same model {where} as version {version.number}. "
    return ""


def build_package(registry: RegistrySettings, version: StoredVersion) -> ModelPackage:
    """Build the package of a former champion that is unchanged.

    Args:
        registry: The settings of the registry.
        version: The version to restore.

    Returns:
        The package.

    Raises:
        RollbackImpossibleError: It is damaged or not signed.
    """
    number, manifest = version.number, version.manifest
    if version.problem:
        advice = (
            " If you are certain that nobody has changed it, restore it without the key, and then "
            'sign the live model with "python -m retraining_job sign".'
        )
        raise RollbackImpossibleError(
            f"Version {number} cannot be restored: {version.problem}."
            f"{advice if version.is_unsigned else ''}"
        )
    provenance = manifest or ModelProvenance()
    provenance = provenance.model_copy(update={"restored_from": number})
    if version.state is None or manifest is None:
        return ModelPackage(read_stored_pickle(registry, version), None, provenance)
    pickle = write_former_pickle(registry, version.state, manifest)
    return ModelPackage(pickle, version.state, provenance)


def read_stored_pickle(registry: RegistrySettings, version: StoredVersion) -> bytes:
    """Read the pickle of a version that has no state.

    Args:
        registry: The settings of the registry.
        version: The version.

    Returns:
        The pickle.

    Raises:
        RollbackImpossibleError: It is missing, damaged or too large.
    """
    keys, limit = Keys.of(registry), registry.model_limit_bytes
    key = keys.model if version.live else keys.kept_pickle(version.number)
    with open_registry(registry.redis_url) as client:
        pickle = cast(bytes, client.getrange(key, 0, limit))
    if not pickle:
        raise RollbackImpossibleError(
            f"The pickle of version {version.number}, under {key}, is missing: Redis has evicted "
            "it, or somebody has deleted it."
        )
    if len(pickle) > limit:
        raise RollbackImpossibleError(
            f"The pickle of version {version.number}, under {key}, has more than the "
            f"{limit:,} bytes of {value_name('model_limit_mebibytes')}."
        )
    if version.manifest and sha256(pickle) != version.manifest.pickle_sha256:
        raise RollbackImpossibleError(
            f"The pickle of version {version.number}, under {key}, is damaged."
        )
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
