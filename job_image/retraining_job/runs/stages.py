"""The stages of a retrain, with retries and log lines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.runs import announce
from retraining_job.events.source import TableSource
from retraining_job.infra.logs import timed
from retraining_job.infra.retries import call_with_retries
from retraining_job.model.model import UnreadableModelError
from retraining_job.presets.selection import load_events
from retraining_job.registry.champion import Champion, read_champion
from retraining_job.registry.integrity import build_champion_error
from retraining_job.registry.package import ModelPackage
from retraining_job.registry.pending import store_challenger
from retraining_job.registry.publish import Published, publish
from retraining_job.registry.threshold import Threshold, read_threshold

if TYPE_CHECKING:
    from retraining_job.audit.outcome import RunOutcome
    from retraining_job.presets.pipeline import (
        EvaluationResult,
        LoadedEvents,
        PreparedEvents,
        TrainedModel,
    )
    from retraining_job.registry.freshness import AuditedVersions
    from retraining_job.settings import TrainSettings

log = logging.getLogger(__name__)


def read_events(settings: TrainSettings) -> LoadedEvents:
    """Read the events of the run, and log their number and time range.

    Raises:
        RunError: The events cannot be read.
    """

    def read() -> LoadedEvents:
        with timed("Read the events"):
            return load_events(TableSource(settings), settings)

    events = call_with_retries(settings.retry_policy, read)
    table, window = settings.events_table, events.window
    if window is None:
        log.warning("There are no events in %s. Check what writes them.", table)
        return events
    log.info(
        "Read %s events from %s, from %s to %s.",
        f"{window.rows:,}",
        table,
        f"{window.first:%Y-%m-%d %H:%M}",
        f"{window.last:%Y-%m-%d %H:%M}",
    )
    return events


def load_champion(settings: TrainSettings, audited: AuditedVersions) -> Champion:
    """Load the champion with its model.

    Args:
        settings: The settings of the run.
        audited: What the audit trail knows.

    Returns:
        The champion. It has no model if there is no live model.

    Raises:
        UnreadableChampionError: There is a champion, and it cannot be read.
    """
    with timed("Read the champion"):
        champion = call_with_retries(
            settings.retry_policy, partial(read_champion, settings.registry, audited)
        )
    if champion.model is None:
        log.info("There is no live model under %s yet.", settings.model_key)
    return champion


def prepare_events(
    model_key: str, champion: Champion, prepare: Callable[[Champion], PreparedEvents]
) -> PreparedEvents:
    """Score the hold-out with the champion.

    The caller releases the champion's model immediately, because it can take most of the memory.

    Args:
        model_key: The Redis key of the live model.
        champion: The champion with its model.
        prepare: Splits the events for a champion.

    Returns:
        The prepared events.

    Raises:
        UnreadableChampionError: The champion cannot score these events.
    """
    try:
        return prepare(champion)
    except UnreadableModelError as error:
        raise build_champion_error(model_key, champion.version, str(error)) from None


def load_threshold(settings: TrainSettings) -> Threshold:
    """Read the live threshold from Redis. If Redis has none, use the one of the settings."""
    step = partial(read_threshold, settings.redis_url, settings.threshold_key, settings.threshold)
    return call_with_retries(settings.retry_policy, step)


def train_challenger(prepared: PreparedEvents, threshold: Threshold) -> TrainedModel:
    """Train the challenger.

    Args:
        prepared: The split events.
        threshold: The live threshold.

    Returns:
        The challenger.
    """
    log.info("Training a challenger.")
    with timed("Trained the challenger"):
        return prepared.train(threshold)


def pack_model(
    settings: TrainSettings,
    challenger: TrainedModel,
    prepared: PreparedEvents,
    events: LoadedEvents,
) -> ModelPackage:
    """Build the model package of the challenger.

    Args:
        settings: The settings of the run.
        challenger: The challenger.
        prepared: The events that it was evaluated on.
        events: All events of the run.

    Returns:
        The package.
    """
    from retraining_job.runs.package import package_model  # noqa: PLC0415  # rarely needed

    with timed("Packed the challenger"):
        return package_model(challenger, events.window, prepared.shape, settings)


def with_thresholds(package: ModelPackage, evaluation: EvaluationResult) -> ModelPackage:
    """Return the package with the thresholds of the latest evaluation.

    Args:
        package: The challenger's package.
        evaluation: The latest evaluation.

    Returns:
        The package.
    """
    provenance = package.provenance.model_copy(update=evaluation.thresholds)
    return replace(package, provenance=provenance)


def announce_and_publish(
    settings: TrainSettings,
    package: ModelPackage,
    champion: Champion,
    outcome: RunOutcome,
    audited: AuditedVersions,
) -> RunOutcome | None:
    """Announce the promotion to the audit trail, then publish the challenger.

    Args:
        settings: The settings of the run.
        package: The challenger's package.
        champion: The champion that it was evaluated against.
        outcome: The outcome to be recorded.
        audited: What the audit trail knows.

    Returns:
        The outcome as it was published, or None if another run has changed the live model.
    """
    with timed("Announced the promotion"):
        call_with_retries(settings.retry_policy, partial(announce, settings.audit, outcome))
    step = partial(
        publish,
        settings.registry,
        package,
        expected_live=champion.stamp,
        result=outcome.result,
        audited=audited,
    )
    with timed("Sent the challenger to Redis"):
        published = call_with_retries(settings.retry_policy, step)
    if isinstance(published, Published):
        version, size = published.result.version, f"{len(package.pickle):,}"
        log.info("Published the challenger as version %s, %s bytes.", version, size)
        return replace(outcome, result=published.result)
    log.warning(
        "Another run has promoted %s since version %d was read. Evaluating again.",
        published,
        champion.version,
    )
    return None


def store_pending(
    settings: TrainSettings, package: ModelPackage, champion: Champion, outcome: RunOutcome
) -> RunOutcome:
    """Store the challenger until it is approved or rejected.

    Args:
        settings: The settings of the run.
        package: The challenger's package.
        champion: The champion that it was evaluated against.
        outcome: The outcome of the run.

    Returns:
        The outcome.
    """
    step = partial(
        store_challenger,
        settings.registry,
        package,
        expected_live=champion.stamp,
        result=outcome.result,
        days=settings.approval_days,
    )
    call_with_retries(settings.retry_policy, step)
    return outcome
