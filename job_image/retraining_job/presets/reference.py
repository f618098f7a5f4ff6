"""The `reference` preset: the old service's way to train and to judge, step by step, defects included. Pure.

It is there for comparison and for moving over. It learns from newest to oldest, tests on rows that
the challenger was trained on, and calls the share of right predictions "precision".
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.contract import ContenderMetrics, Tunables, Verdict, VerdictReason
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.evaluation.decision import Decision
from retraining_job.events.features import Features, Tally
from retraining_job.events.truth import has_truth, is_anomaly
from retraining_job.infra.logs import with_progress

if TYPE_CHECKING:
    from retraining_job.events.scored_event import ScoredEvent
    from retraining_job.model.model import Model

FOREST_WEIGHT = 0.7
DEVIATION_WEIGHT = 0.3

log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """What a model sees of one event, and what the event was."""

    features: Features
    is_anomaly: bool


def samples_of(events: Sequence[ScoredEvent], tally: Tally | None = None) -> list[Sample]:
    """Return the events as samples in the order they are learned in.

    Args:
        events: The newest first.
        tally: Counts how they are read.
    """
    tally = tally or Tally()
    samples = []
    for event in with_progress(events, log, f"Prepared %s of {len(events):,} events."):
        tally.labelled += has_truth(event.anomaly_label)
        samples.append(Sample(tally.read_features(event), is_anomaly(event.anomaly_label)))
    return samples


def enough(n_samples: int, minimum: int) -> Decision | None:
    """Guard: None where there are enough events to train on."""
    if n_samples >= minimum:
        return None
    message = f"There are {n_samples:,} events, and a retrain needs {minimum:,} at least; nothing was trained."
    return Decision(Verdict.INSUFFICIENT_DATA, VerdictReason.INSUFFICIENT_DATA, message)


def trained(samples: Sequence[Sample], settings: Tunables) -> Model:
    """Train a challenger on all samples in their order."""
    from retraining_job.model.forest import train_forest  # noqa: PLC0415  # only who trains pays for it
    from retraining_job.model.model import Model  # noqa: PLC0415

    features = [sample.features for sample in samples]
    deviation = StandardAbsoluteDeviation(settings.deviation_feature)
    for one in features:
        deviation.learn_one(one)
    forest = train_forest(
        features,
        n_trees=settings.forest_trees,
        height=settings.forest_height,
        window_size=settings.forest_window,
        seed=settings.forest_seed,
    )
    return Model(forest, deviation)


def score(model: Model, features: Features) -> float:
    """Score one event as the live service does."""
    forest = model.hst.score_one(features)
    return float(FOREST_WEIGHT * forest + DEVIATION_WEIGHT * model.sad.score_one(features))


def figures(model: Model, hold_out: Sequence[Sample], threshold: float) -> ContenderMetrics:
    """Test a model in the shadow of the live one: the share of right predictions on the newest events."""
    right = sum(
        (score(model, sample.features) > threshold) == sample.is_anomaly for sample in hold_out
    )
    return ContenderMetrics(precision=right / len(hold_out))


def judge(
    challenger: ContenderMetrics,
    champion: ContenderMetrics | None,
    *,
    champion_version: int,
    hold_out_rows: int,
) -> Decision:
    """Decide by the old rule: the greater figure wins, and a tie goes to the challenger."""
    on = f"on the newest {hold_out_rows:,} events"
    mine = challenger.precision or 0.0
    if champion is None:
        message = f"There is no live model to beat; the challenger's precision {on} is {mine:.4f}."
        return Decision(Verdict.PROMOTED, VerdictReason.NO_CHAMPION, message, promotes=True)
    theirs = champion.precision or 0.0
    compared = (
        f"The challenger's precision {on} is {mine:.4f}, "
        f"that of the champion, version {champion_version}, is {theirs:.4f}"
    )
    if mine > theirs:
        message = f"{compared}: the challenger wins."
        return Decision(Verdict.PROMOTED, VerdictReason.HIGHER_PRECISION, message, promotes=True)
    if mine == theirs:
        message = f"{compared}: a tie goes to the challenger."
        return Decision(Verdict.PROMOTED, VerdictReason.EQUAL_PRECISION, message, promotes=True)
    return Decision(Verdict.KEPT, VerdictReason.LOWER_PRECISION, f"{compared}: the champion stays.")
