"""The evaluation of the `recommended` preset: from scores to a decision with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from retraining_job.contract import EvaluationSettings
from retraining_job.evaluation import bootstrap, metrics, plot_data, promotion_policy
from retraining_job.evaluation.evidence import Contender, Evidence, Provenance
from retraining_job.evaluation.hold_out import find_hold_out_problem
from retraining_job.evaluation.labels import compute_label_coverage
from retraining_job.evaluation.permutation import run_permutation_test
from retraining_job.evaluation.promotion_rules import compute_margin
from retraining_job.evaluation.reading_notes import describe_reading
from retraining_job.evaluation.scores import Scores, replace_non_finite
from retraining_job.presets.hidden_losses import find_hidden_losses
from retraining_job.presets.recommended_notes import (
    compute_periods,
    describe_events,
    describe_models,
    describe_published_threshold,
)

if TYPE_CHECKING:
    from retraining_job.evaluation.calibration_record import CalibrationRecord
    from retraining_job.evaluation.decision import Decision
    from retraining_job.evaluation.evidence import Comparison, HiddenLoss, LabelCoverage, Split
    from retraining_job.evaluation.input_change import InputChange
    from retraining_job.presets.recommended import SplitEvents


class ScoredModel(NamedTuple):
    """A model's scores of the hold-out, and what is known about the model.

    Args:
        scores: The scores.
        facts: Its version, fingerprint and training window, as far as they are known.
    """

    scores: Scores
    facts: Contender


@dataclass(frozen=True)
class EvaluationContext:
    """What an evaluation needs to know beside the scores.

    Args:
        settings: How models are evaluated.
        threshold: The live threshold.
        threshold_source: `setting`, or the Redis key that the threshold was read from.
        provenance: Where the run and its events come from.
        fingerprint: The challenger's fingerprint, if it is known.
        change: How the input has changed since the champion was trained, or None if that was not
            checked.
        calibration: What the challenger was chosen from, or None if it is not calibrated.
        published_threshold: The threshold that goes live with the challenger, or None if the live
            one stays.
    """

    settings: EvaluationSettings
    threshold: float
    threshold_source: str
    provenance: Provenance
    fingerprint: str = ""
    change: InputChange | None = None
    calibration: CalibrationRecord | None = None
    published_threshold: float | None = None


@dataclass(frozen=True)
class Measure:
    """What both models are measured by.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        settings: How models are evaluated.
        threshold: The live threshold.
        edges: Shape (bins + 1,). The edges of the score histograms.
        seed: Seeds the bootstrap and the permutation test.
    """

    truth: np.ndarray
    settings: EvaluationSettings
    threshold: float
    edges: np.ndarray
    seed: int


class ChampionComparison(NamedTuple):
    """The comparison of both models.

    Args:
        margin: The difference of average precision that counts.
        comparison: The bootstrap comparison, or None if the hold-out does not allow one.
        labels: How labels follow the champion's alerts, or None if its scores are unusable.
    """

    margin: float
    comparison: Comparison | None = None
    labels: LabelCoverage | None = None


def evaluate(
    prepared: SplitEvents,
    challenger: Scores,
    champion: ScoredModel | None,
    context: EvaluationContext,
) -> tuple[Decision, Evidence]:
    """Evaluate a challenger against the champion.

    Args:
        prepared: The split events.
        challenger: The challenger's scores of the hold-out.
        champion: The champion's, or None if there is no live model to compare with.
        context: Settings, threshold and provenance.

    Returns:
        The decision, and all numbers that led to it.
    """
    settings, threshold = context.settings, context.threshold
    columns, parts, truth = prepared.columns, prepared.parts, prepared.held_truth
    split = parts.build_split(columns.times, columns.truth)
    own = combine_scores(challenger, settings)
    other = None if champion is None else combine_scores(champion.scores, settings)
    edges = plot_data.compute_histogram_edges(own, own if other is None else other)
    measure = Measure(truth, settings, threshold, edges, context.provenance.seed)
    facts = Contender(
        fingerprint=context.fingerprint,
        trained=split.training,
        published_threshold=context.published_threshold,
    )
    published = context.published_threshold
    own_threshold = threshold if published is None else published
    own_measure = replace(measure, threshold=own_threshold)
    challenger_record = measure_model(ScoredModel(challenger, facts), own_measure)
    champion_record = measure_model(champion, measure) if champion else None
    if other is not None and challenger_record.usable:
        matching = metrics.find_matching_threshold(own, int((other > threshold).sum()))
        challenger_record = challenger_record.model_copy(update={"matching_threshold": matching})
    compared = compare_with_champion(measure, split, own, other, champion_record)
    best_random_precision: float | None = None
    hidden: list[HiddenLoss] = []
    if not find_hold_out_problem(split, settings):
        best_random_precision = run_permutation_test(truth, own, seed=measure.seed)
    if compared.comparison:
        hidden = find_hidden_losses(
            challenger_record, champion_record, settings.margin, context.calibration
        )
    evidence = Evidence(
        provenance=context.provenance,
        split=split,
        features=prepared.features,
        threshold=threshold,
        threshold_source=context.threshold_source,
        policy=settings.policy,
        margin=compared.margin,
        best_random_precision=best_random_precision,
        challenger=challenger_record,
        champion=champion_record,
        calibration=context.calibration,
        comparison=compared.comparison,
        input=context.change,
        reading=describe_reading(columns.facts),
        labels=compared.labels,
        hidden=hidden,
        identical=champion is not None and is_same_model(challenger, context.fingerprint, champion),
        periods=compute_periods(
            columns.times[parts.hold_out], truth, own, other, (own_threshold, threshold)
        ),
        notes=[
            *describe_events(prepared, split, settings),
            *describe_models(challenger_record, champion_record, own_threshold),
            *describe_published_threshold(context.published_threshold, threshold),
        ],
    )
    decision = promotion_policy.decide_promotion(evidence, settings)
    outcome = {"verdict": decision.verdict, "reason": decision.reason, "message": decision.text}
    return decision, evidence.model_copy(update=outcome)


def compare_with_champion(
    measure: Measure,
    split: Split,
    challenger: np.ndarray,
    champion: np.ndarray | None,
    champion_record: Contender | None,
) -> ChampionComparison:
    """Compare the combined scores of both models.

    Args:
        measure: What both models are measured by.
        split: The split of the events.
        challenger: Shape (n,). The challenger's combined scores of the hold-out.
        champion: Shape (n,). The champion's, or None if there is none.
        champion_record: The champion's metrics, or None if there is none.

    Returns:
        The comparison. Without a champion it holds only the margin of the settings.
    """
    settings, truth = measure.settings, measure.truth
    if champion is None or champion_record is None:
        return ChampionComparison(settings.margin)
    labels = None
    if champion_record.usable:
        labels = compute_label_coverage(truth, champion, measure.threshold)
    if find_hold_out_problem(split, settings):
        return ChampionComparison(settings.margin, None, labels)
    own = metrics.average_precision(truth, challenger) or 0.0
    other = metrics.average_precision(truth, champion) or 0.0
    comparison = bootstrap.compute_comparison(
        truth, challenger, champion, difference=own - other, seed=measure.seed
    )
    margin = compute_margin(other, split, settings)
    return ChampionComparison(margin, comparison, labels)


def combine_scores(scores: Scores, settings: EvaluationSettings) -> np.ndarray:
    """Compute the scores that the live service would use.

    Args:
        scores: The scores of both parts of a model.
        settings: The weights of the parts.

    Returns:
        Shape (n,). Finite, so that they can be sorted.
    """
    return replace_non_finite(scores.combine(settings.forest_weight, settings.deviation_weight))


def measure_model(model: ScoredModel, measure: Measure) -> Contender:
    """Add the metrics of the hold-out to what is known about a model.

    Args:
        model: The model's scores, and its facts.
        measure: What both models are measured by.

    Returns:
        The facts with the metrics.
    """
    truth, settings, threshold = measure.truth, measure.settings, measure.threshold
    combined = combine_scores(model.scores, settings)
    problem = model.scores.find_problem(settings.forest_weight, settings.deviation_weight)
    precision, recall = metrics.precision_recall_at_threshold(truth, combined, threshold)
    return model.facts.model_copy(
        update={
            "metrics": metrics.compute_metrics(truth, model.scores, settings, threshold),
            "usable": not problem,
            "problem": problem,
            "threshold_precision": precision,
            "threshold_recall": recall,
            "curve": plot_data.compute_curve(truth, combined),
            "histogram": plot_data.compute_histogram(truth, combined, measure.edges),
        }
    )


def is_same_model(challenger: Scores, fingerprint: str, champion: ScoredModel) -> bool:
    """Return whether the challenger equals the champion.

    Args:
        challenger: The challenger's scores of the hold-out.
        fingerprint: The challenger's fingerprint, or an empty text.
        champion: The champion's scores and facts.

    Returns:
        True if all scores are equal, or if the fingerprints are.
    """
    has_same_scores = np.array_equal(challenger.hst, champion.scores.hst) and np.array_equal(
        challenger.sad, champion.scores.sad
    )
    return has_same_scores or bool(fingerprint and fingerprint == champion.facts.fingerprint)
