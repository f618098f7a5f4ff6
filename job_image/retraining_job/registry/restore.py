"""The way back: a former champion goes live again, under a version number of its own. Driven by `__main__`.

A number is never used twice: readers and the audit trail tell models apart by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from retraining_job.contract import Result, VerdictReason, value_name
from retraining_job.errors import BadConfigurationError
from retraining_job.registry.client import store
from retraining_job.registry.history import HistoryEntry, Version, kept_versions
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, number, read_live
from retraining_job.registry.manifest import Manifest, ModelProvenance, origin_of, sha256
from retraining_job.registry.publish import ModelPackage, Overtaken, publish, published
from retraining_job.registry.signing import NotSignedError, check_signature

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


class RollbackImpossibleError(BadConfigurationError):
    """The version that was asked for cannot go live again; the text says why, and which can."""


def rollback(
    settings: TrainSettings,
    to: int,
    *,
    floor: int,
    rehearse: Callable[[Result], None] | None = None,
) -> Result:
    """Put a kept version live again, in one atomic step; a second start of the same run finds what the first did.

    Args:
        settings: with the run id under which this is done and recorded.
        to: the version to go back to.
        floor: the highest version that the audit trail knows.
        rehearse: Called with the result before anything is published; raises if it could not be
            recorded.

    Returns:
        A result without a verdict: nobody was judged.

    Raises:
        RollbackImpossibleError: there is no such version, or it is damaged or not signed, or it is live, or
            another model went live meanwhile. BadConfiguration: the keys or the URL are wrong.
            DependencyAway: Redis does not answer, or cannot take the model; repeat the call.
    """
    if done := published(settings):
        return done
    started_at = datetime.now(UTC)
    live = read_live(settings, with_model=False)
    parcel = parcel_of(settings, chosen(settings, live, to))
    version = max(live.highest, floor) + 1
    former = number(live.version)
    result = Result(
        run_id=settings.run_id,
        promoted=True,
        reason=VerdictReason.ROLLBACK,
        message=f"Version {to} is live again, as version {version}; before, "
        + ("nothing was." if former is None else f"version {former} was."),
        n_samples=parcel.origin.n_samples,
        version=version,
        champion_version=former,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
    if rehearse:
        rehearse(result)
    outcome = publish(settings, parcel, judged_against=live.stamp, result=result)
    if isinstance(outcome, Overtaken):
        raise RollbackImpossibleError(
            f"Meanwhile {outcome} went live, so nothing was changed. Look at it, and ask again."
        )
    return outcome.result


def chosen(settings: TrainSettings, live: Live, to: int) -> Version:
    """Find the version that was asked for."""
    versions = {version.number: version for version in kept_versions(settings)}
    if lost := lost_version(live):
        versions[lost.number] = lost
    if live.model is not None and number(live.version) == to:
        raise RollbackImpossibleError(f"Version {to} is live: there is nothing to go back to.")
    if to in versions:
        return versions[to]
    if not versions:
        raise RollbackImpossibleError(
            f"There is no former champion under {Keys.of(settings).history} to go back to."
        )
    kept = ", ".join(map(str, sorted(versions)))
    raise RollbackImpossibleError(
        f"Version {to} is not kept; there are: {kept}. {value_name('history_versions')} says how many are kept."
    )


def lost_version(live: Live) -> Version | None:
    """Give the live version where its pickle is gone and its state is not."""
    manifest = live.manifest
    if (
        live.model is not None
        or live.state is None
        or manifest is None
        or manifest.version != number(live.version)
    ):
        return None
    entry = HistoryEntry(manifest=manifest, state=live.state.decode(errors="replace"))
    return Version(manifest.version, live=True, entry=entry)


def parcel_of(settings: TrainSettings, version: Version) -> ModelPackage:
    """Pack a former champion again, once it is certain that it is what it was.

    Raises:
        RollbackImpossibleError: it is not.
    """
    entry = version.entry
    if entry is None:
        raise RollbackImpossibleError(
            f"What is kept of version {version.number} cannot be read: it is damaged."
        )
    try:
        check_signature(settings.signing_key, settings.model_key, entry.manifest)
    except NotSignedError as error:
        raise RollbackImpossibleError(
            f"Version {version.number} cannot be restored: {error}. If it is certain that nobody has changed it, "
            'restore it without the key, and then sign what is live with "python -m retraining_job sign".'
        ) from None
    if entry.manifest and entry.manifest.version != version.number:
        raise RollbackImpossibleError(
            f"What is kept as version {version.number} is version {entry.manifest.version}: it is damaged."
        )
    origin = entry.manifest or ModelProvenance()
    origin = origin.model_copy(update={"restored_from": version.number})
    if entry.state is None:
        return ModelPackage(kept_pickle(settings, version.number, entry.manifest), None, origin)
    if entry.manifest is None or sha256(entry.state.encode()) != entry.manifest.state_sha256:
        raise RollbackImpossibleError(
            f"The state that is kept of version {version.number} is damaged."
        )
    return ModelPackage(pickled_again(settings, entry.state, entry.manifest), entry.state, origin)


def kept_pickle(settings: TrainSettings, version: int, manifest: Manifest | None) -> bytes:
    """Fetch a former champion that has no state."""
    key = Keys.of(settings).kept_pickle(version)
    with store(settings.redis_url) as client:
        blob = cast(bytes | None, client.get(key))
    if blob is None:
        raise RollbackImpossibleError(
            f"The pickle of version {version}, under {key}, is gone: evicted by Redis, or deleted."
        )
    if manifest and sha256(blob) != manifest.pickle_sha256:
        raise RollbackImpossibleError(f"The pickle of version {version}, under {key}, is damaged.")
    return blob


def pickled_again(settings: TrainSettings, state: str, manifest: Manifest) -> bytes:
    """Write the pickle of a model that is kept as its state, and compare it with the one of then.

    Raises:
        RollbackImpossibleError: the state cannot be read, or the same program that wrote the one of then writes
            another now.
    """
    try:
        blob = rebuilt_pickle(settings, state)
    except ValueError as error:
        raise RollbackImpossibleError(
            f"The state that is kept of version {manifest.version} {error}."
        ) from None
    if sha256(blob) != manifest.pickle_sha256:
        now = origin_of(settings)
        writers = "image", "river", "python", "deviation_class"
        differing = [name for name in writers if getattr(now, name) != getattr(manifest, name)]
        if not differing:
            raise RollbackImpossibleError(
                f"The state that is kept of version {manifest.version} does not give the model of then."
            )
        log.warning(
            "The pickle of version %d is not the one of then byte for byte, since it is written by another %s; the "
            "trees and their masses are the same.",
            manifest.version,
            " and ".join(differing).replace("_", " "),
        )
    return blob


def rebuilt_pickle(settings: TrainSettings, state: str) -> bytes:
    """Write the readers' pickle from a state.

    Raises:
        ValueError: the state cannot be read; the text says why, as the end of a sentence.
    """
    from retraining_job.model.model import UnreadableModelError  # noqa: PLC0415  # brings river
    from retraining_job.model.pickle_writer import write_pickle  # noqa: PLC0415  # brings river
    from retraining_job.model.state import read_state  # noqa: PLC0415

    try:
        model = read_state(state)
    except UnreadableModelError as error:
        raise ValueError(f"cannot be read: {error}") from None
    except Exception as error:  # noqa: BLE001  # what a forged state raises is not known
        raise ValueError(f"cannot be read ({type(error).__name__}: {error})") from None
    return write_pickle(model, settings.deviation_class)
