"""One retrain: read events, check them, train, evaluate, publish.

The process may die at any line and start again under the same run id. Whatever comes before
publishing is then repeated.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.contract import Promotion, Verdict, VerdictReason, Withheld
from retraining_job.evaluation.decision import Decision
from retraining_job.presets.pipeline import EvaluationResult
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.package import get_next_version
from retraining_job.runs.outcome import OutcomeBuilder
from retraining_job.runs.stages import (
    announce_and_publish,
    load_champion,
    load_threshold,
    pack_model,
    prepare_events,
    read_events,
    store_pending,
    train_challenger,
    with_thresholds,
)

if TYPE_CHECKING:
    from datetime import datetime

    from retraining_job.audit.outcome import RunOutcome
    from retraining_job.registry.champion import Champion
    from retraining_job.registry.freshness import AuditedVersions
    from retraining_job.registry.manifest import Manifest
    from retraining_job.settings import TrainSettings

EVALUATIONS = 5
"""How often a challenger is evaluated at most, if the champion changes each time."""

log = logging.getLogger(__name__)


class Retrained(NamedTuple):
    """What a retrain leaves for the audit trail.

    Args:
        outcome: The outcome of the run.
        former: The manifest of the model that the challenger was evaluated against.
    """

    outcome: RunOutcome
    former: Manifest | None = None


def retrain(settings: TrainSettings, started_at: datetime, audited: AuditedVersions) -> Retrained:
    """Retrain once.

    Args:
        settings: The settings of the run.
        started_at: When the run started (UTC).
        audited: What the audit trail knows.

    Returns:
        The outcome. A promoted model is live.

    Raises:
        RunError: There is no verdict.
    """
    events = read_events(settings)
    outcomes = OutcomeBuilder(settings.run_id, started_at, events.n_samples, events.window)
    if decision := events.check():
        return Retrained(outcomes.build(EvaluationResult(decision)))
    former, package = None, None
    try:
        champion = load_champion(settings, audited)
        former = champion.manifest
        prepared = prepare_events(settings.model_key, champion, events.prepare)
        champion = champion.without_model()
        threshold = load_threshold(settings)
        challenger = train_challenger(prepared, threshold)
        for _ in range(EVALUATIONS):
            evaluation = prepared.evaluate(challenger, threshold)
            log.info("%s", evaluation.decision.text)
            if settings.dry_run or not evaluation.decision.promotes:
                withheld = Withheld.DRY_RUN if evaluation.decision.promotes else None
                return Retrained(outcomes.build(evaluation, champion.version, withheld), former)
            package = package or pack_model(settings, challenger, prepared, events)
            package = with_thresholds(package, evaluation)
            if settings.promotion is Promotion.MANUAL:
                withheld = Withheld.AWAITING_APPROVAL
                outcome = outcomes.build(evaluation, champion.version, withheld)
                return Retrained(store_pending(settings, package, champion, outcome), former)
            version = get_next_version(champion.highest)
            outcome = outcomes.build(evaluation, champion.version, version=version)
            published = announce_and_publish(settings, package, champion, outcome, audited)
            if published:
                return Retrained(published, former)
            champion = load_champion(settings, audited)
            former = champion.manifest
            prepared = prepare_events(settings.model_key, champion, prepared.with_champion)
            champion = champion.without_model()
        overtaken = replace(evaluation, decision=decide_overtaken(champion))
        return Retrained(outcomes.build(overtaken, champion.version), former)
    except UnreadableChampionError as error:
        decision = Decision(
            Verdict.UNREADABLE_CHAMPION, VerdictReason.UNREADABLE_CHAMPION, str(error)
        )
        return Retrained(outcomes.build(EvaluationResult(decision), error.version), former)


def decide_overtaken(champion: Champion) -> Decision:
    """Build the decision of a run whose champion has changed too often."""
    run = f" of run {champion.manifest.run_id}" if champion.manifest else ""
    message = (
        f"Other runs changed the live model {EVALUATIONS} times while this one was evaluated, the "
        f"last time to version {champion.version}{run}. The challenger does not go live."
    )
    return Decision(Verdict.KEPT, VerdictReason.OVERTAKEN, message)
