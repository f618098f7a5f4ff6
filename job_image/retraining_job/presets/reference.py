"""The steps of the `reference` preset: the old service's rules, defects included.

The preset exists for comparison and for migration. It learns from newest to oldest, tests on rows
that the challenger was trained on, and calls the share of right predictions "precision".
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.contract import ContenderMetrics, ModelSettings, Verdict, VerdictReason
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
    """What a model sees of one event, and whether the event was an anomaly."""

    features: Features
    is_anomaly: bool


def build_samples(events: Sequence[ScoredEvent], tally: Tally | None = None) -> list[Sample]:
    """Build samples from events.

    Args:
        events: The events, newest first.
        tally: Counts how the events are read.

    Returns:
        The samples, newest first, which is the order in which they are learned.
    """
    tally = tally or Tally()
    samples = []
    for event in with_progress(events, log, f"Prepared %s of {len(events):,} events."):
        tally.labelled += has_truth(event.anomaly_label)
        samples.append(Sample(tally.read_features(event), is_anomaly(event.anomaly_label)))
    return samples


def check_row_count(n_samples: int, minimum: int) -> Decision | None:
    """Check whether there are enough events to train on.

    Args:
        n_samples: The number of events.
        minimum: The smallest number that is enough.

    Returns:
        The decision that ends the run, or None if there are enough.
    """
    if n_samples >= minimum:
        return None
    message = (
        f"There are {n_samples:,} events, and a retrain needs at least {minimum:,}. "
        "Nothing was trained."
    )
    return Decision(Verdict.INSUFFICIENT_DATA, VerdictReason.INSUFFICIENT_DATA, message)


def train_model(samples: Sequence[Sample], settings: ModelSettings) -> Model:
    """Train a challenger on all samples in their order.

    Args:
        samples: The samples, newest first.
        settings: The tunables of the run.

    Returns:
        The model.
    """
    from retraining_job.model.forest import train_forest  # noqa: PLC0415  # only training needs it
    from retraining_job.model.model import Model  # noqa: PLC0415

    features = [sample.features for sample in samples]
    deviation = StandardAbsoluteDeviation(settings.deviation_feature)
    for sample in samples:
        deviation.learn_one(sample.features)
    forest = train_forest(
        features,
        n_trees=settings.forest_trees,
        height=settings.forest_height,
        window_size=settings.forest_window,
        seed=settings.forest_seed,
    )
    return Model(forest, deviation)


def score(model: Model, features: Features) -> float:
    """Compute the score of one event as the live service does.

    Args:
        model: The model.
        features: The event's features.

    Returns:
        The combined score. Higher means more anomalous.
    """
    forest = model.hst.score_one(features)
    return float(FOREST_WEIGHT * forest + DEVIATION_WEIGHT * model.sad.score_one(features))


def compute_accuracy(
    model: Model, hold_out: Sequence[Sample], threshold: float
) -> ContenderMetrics:
    """Compute the share of right predictions on the newest events.

    Args:
        model: The model.
        hold_out: The newest samples.
        threshold: A score above it predicts an anomaly.

    Returns:
        The metrics, with the share as `precision`.
    """
    right = sum(
        (score(model, sample.features) > threshold) == sample.is_anomaly for sample in hold_out
    )
    return ContenderMetrics(precision=right / len(hold_out))


def decide_by_accuracy(
    challenger: ContenderMetrics,
    champion: ContenderMetrics | None,
    *,
    champion_version: int,
    hold_out_rows: int,
) -> Decision:
    """Decide by the old rule: the higher accuracy wins, and a tie goes to the challenger.

    Args:
        challenger: The challenger's metrics.
        champion: The champion's, or None if there is no live model.
        champion_version: The champion's version.
        hold_out_rows: The number of events that both were tested on.

    Returns:
        The decision.
    """
    on = f"on the newest {hold_out_rows:,} events"
    own = challenger.precision or 0.0
    if champion is None:
        message = f"There is no live model. The challenger's precision {on} is {own:.4f}."
        return Decision(Verdict.PROMOTED, VerdictReason.NO_CHAMPION, message, promotes=True)
    other = champion.precision or 0.0
    compared = (
        f"The challenger's precision {on} is {own:.4f}, "
        f"that of the champion, version {champion_version}, is {other:.4f}"
    )
    if own > other:
        message = f"{compared}: the challenger wins."
        return Decision(Verdict.PROMOTED, VerdictReason.HIGHER_PRECISION, message, promotes=True)
    if own == other:
        message = f"{compared}: a tie goes to the challenger."
        return Decision(Verdict.PROMOTED, VerdictReason.EQUAL_PRECISION, message, promotes=True)
    return Decision(Verdict.KEPT, VerdictReason.LOWER_PRECISION, f"{compared}: the champion stays.")
