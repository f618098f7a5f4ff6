"""The champion: the live model, read together with its version and its manifest.

A champion of this trainer is rebuilt from its state. Its pickle is compared with the checksum in
the manifest, and not loaded. The pickle of a foreign champion is interpreted in a
box, which creates no objects.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining_job.registry.freshness import (
    ACCEPT,
    UNKNOWN_TO_AUDIT,
    AuditedVersions,
    describe_older_model,
)
from retraining_job.registry.history import find_highest_version, read_stored_versions
from retraining_job.registry.integrity import (
    UnreadableChampionError,
    build_champion_error,
    check_manifest,
    check_version,
)
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, Stamp, read_live
from retraining_job.registry.manifest import Manifest, manifest_subject
from retraining_job.registry.signing import NotSignedError, SigningKeys, check_signature

if TYPE_CHECKING:
    from retraining_job.model.model import Model
    from retraining_job.settings import RegistrySettings

SIGN = (
    'After somebody has checked that it is yours, sign it with "python -m retraining_job sign"; or '
    'restore a former model with "python -m retraining_job rollback --to N".'
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """The live model at one version.

    Args:
        model: The model, or None if there is no live model.
        version: Its version, 0 if there is none.
        stamp: Identifies the live model. Publishing compares it.
        manifest: Its manifest, or None if another program has put the model there.
        highest: The highest version that Redis proves or the audit trail knows. A new version must
            be higher.
    """

    model: Model | None
    version: int
    stamp: Stamp
    manifest: Manifest | None = None
    highest: int = 0

    def without_model(self) -> Champion:
        """Return the champion without its model, which can take most of the memory."""
        return replace(self, model=None)


def read_champion(
    registry: RegistrySettings, audited: AuditedVersions = UNKNOWN_TO_AUDIT
) -> Champion:
    """Read the live model, its version and its manifest in one transaction.

    Args:
        registry: The settings of the registry.
        audited: What the audit trail knows.

    Returns:
        The champion. It has no model if there is no live model.

    Raises:
        UnreadableChampionError: There is a model, and it or its manifest cannot be read or trusted;
            or, with a signing key, the audit trail knows a newer one.
        BadConfigurationError: The keys or the URL are wrong.
        DependencyUnavailableError: Redis does not answer.
    """
    live = read_live(registry)
    keys = Keys.of(registry)
    version = check_version(live.version, keys.version)
    manifest = check_manifest(registry, live, version)
    if live.model is not None:
        check_signed(registry, live, version)
    check_freshness(registry, live, version, audited)
    stored = read_stored_versions(registry)
    highest = find_highest_version(live, stored, audited)
    if live.model is None:
        return Champion(None, version, live.stamp, highest=highest)
    if manifest and manifest.state_sha256:
        model = rebuild_from_state(registry, live, version)
    else:
        model = read_foreign_pickle(registry, live, version)
    return Champion(model, version, live.stamp, manifest, highest)


def check_signed(registry: RegistrySettings, live: Live, version: int) -> None:
    """Check that the live model is signed, if a key is set.

    Args:
        registry: The settings of the registry.
        live: The contents of the keys.
        version: The live version.

    Raises:
        UnreadableChampionError: It is not.
    """
    signing_keys = SigningKeys.of(registry)
    try:
        check_signature(signing_keys, manifest_subject(registry.model_key, version), live.meta)
    except NotSignedError as error:
        raise build_champion_error(registry.model_key, version, str(error), remedy=SIGN) from None


def check_freshness(
    registry: RegistrySettings, live: Live, version: int, audited: AuditedVersions
) -> None:
    """Check that the audit trail knows no newer model than the live one.

    Without a signing key, an older model is only logged: whoever can put an older model back can
    put any other there as well. A model of another program has version numbers of its own.

    Args:
        registry: The settings of the registry.
        live: The contents of the keys.
        version: The live version.
        audited: What the audit trail knows.

    Raises:
        UnreadableChampionError: A signing key is set, and the audit trail knows a newer model.
    """
    has_model = live.model is not None
    is_foreign = has_model and live.own_manifest is None
    problem = describe_older_model(audited, version, live.own_manifest, has_model=has_model)
    if problem is None or is_foreign:
        return
    if not live.is_signing:
        log.warning("The live model under %s is not the newest: %s.", registry.model_key, problem)
        return
    restore = (
        f'To go on with this model, make it live under a new version with "python -m '
        f'retraining_job rollback --to {version}" or spec.rollbackTo: {version}. '
    )
    raise UnreadableChampionError(
        f"The live model under {registry.model_key} is not the newest: {problem}.",
        remedy=f"Nothing was changed. {restore if has_model else ''}{ACCEPT}",
        version=version or None,
    )


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
    """Read the pickle in the box.

    Args:
        registry: The settings of the registry.
        live: The contents of the keys.
        version: The live version.

    Returns:
        The model.

    Raises:
        UnreadableChampionError: It is not a pickle of a model.
    """
    from retraining_job.foreign_pickle.reader import read_pickle  # noqa: PLC0415
    from retraining_job.model.model import UnreadableModelError  # noqa: PLC0415  # brings river

    try:
        return read_pickle(live.model or b"", registry.deviation_class)
    except UnreadableModelError as error:
        raise build_champion_error(registry.model_key, version, str(error)) from None
    except Exception as error:  # noqa: BLE001  # no forged pickle may end a run as a defect
        problem = f"its pickle cannot be read ({type(error).__name__})"
        raise build_champion_error(registry.model_key, version, problem) from None
