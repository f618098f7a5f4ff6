"""The `recommended` preset: prepare, train, score and judge, each a step without I/O. Driven by its contest.

What is tested is what goes live: a challenger is not trained again on the hold-out once it was
    judged. So the next run's hold-out, which is newer, judges a champion on events that it has
    never learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.contract import (
    PartMetrics,
    Scaling,
    Tunables,
    Verdict,
    VerdictReason,
    value_name,
)
from retraining_job.evaluation import bootstrap, metrics, plot_data, promotion_policy
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import (
    Contender,
    Evidence,
    FeatureRecord,
    HiddenLoss,
    LabelCoverage,
    Period,
    Provenance,
    Split,
)
from retraining_job.evaluation.hold_out import find_hold_out_problem
from retraining_job.evaluation.input_change import ChampionInput, InputChange, compare_input
from retraining_job.evaluation.input_counts import measure_columns
from retraining_job.evaluation.labels import compute_label_coverage
from retraining_job.evaluation.permutation import run_permutation_test
from retraining_job.evaluation.promotion_rules import compute_margin
from retraining_job.evaluation.reading_notes import describe_reading
from retraining_job.evaluation.scores import Scores, replace_non_finite
from retraining_job.evaluation.split import SplitRows, compute_window, split_rows
from retraining_job.model.scaling import FeatureScaling, build_unscale
from retraining_job.model.scaling_choice import choose_scalings
from retraining_job.presets.feature_records import build_feature_record

if TYPE_CHECKING:
    from retraining_job.events.columns import Columns
    from retraining_job.model.model import Model

PERIODS = 10


@dataclass(frozen=True)
class Prepared:
    """Events parted into training and hold-out, and how their features are scaled."""

    columns: Columns
    parts: SplitRows
    scalings: tuple[FeatureScaling, ...]
    """Of the features that the trees split, sorted by name; what the model's state needs."""
    features: list[FeatureRecord]

    @property
    def held_truth(self) -> np.ndarray:
        """What the events of the hold-out were."""
        return self.columns.truth[self.parts.hold_out]


@dataclass(frozen=True)
class Measure:
    """What both contenders are measured by."""

    truth: np.ndarray
    settings: Tunables
    threshold: float
    edges: np.ndarray
    """Of the histograms."""


def prepared(
    columns: Columns, settings: Tunables, champion_until: datetime | None = None
) -> Prepared | Decision:
    """Part the events and choose the features' scaling, or say why nothing can be trained on them.

    Args:
        columns: the events.
        settings: of the run.
        champion_until: when the newest event that the champion was trained on happened; None where
            that is not known.
    """
    parts = split_rows(columns.times, columns.truth, settings, champion_until)
    if isinstance(parts, Decision):
        return parts
    training = columns.features[parts.training]
    choices = choose_scalings(columns.names, training, columns.unusable.tolist(), settings.scaling)
    scalings = [choice.scaling for choice in choices if choice.scaling]
    records = [build_feature_record(choice) for choice in choices]
    if not scalings:
        why = (
            "; ".join(f"{record.name}: {record.note}" for record in records[:5])
            or "the events have none"
        )
        message = f"No feature can be split by a tree, so nothing was trained ({why})."
        return Decision(Verdict.INSUFFICIENT_DATA, VerdictReason.INSUFFICIENT_DATA, message)
    return Prepared(columns, parts, tuple(scalings), records)


def trained(prepared: Prepared, settings: Tunables) -> Model:
    """Train a challenger on the training rows, oldest first; it takes raw features."""
    from retraining_job.deviation import StandardAbsoluteDeviation  # noqa: PLC0415  # only who trains pays for these
    from retraining_job.model.forest import train_forest_on_matrix  # noqa: PLC0415
    from retraining_job.model.model import Model  # noqa: PLC0415

    columns, rows, window = prepared.columns, prepared.parts.training_rows, settings.forest_window
    places = {name: place for place, name in enumerate(columns.names)}
    names = [scaling.name for scaling in prepared.scalings]
    trace = slice(
        max(0, rows - 2 * window - rows % window), rows
    )  # nothing older leaves one in the forest's masses
    hst = train_forest_on_matrix(
        names,
        columns.features[trace][:, [places[name] for name in names]],
        unscale=None if settings.scaling is Scaling.NONE else build_unscale(prepared.scalings),
        n_trees=settings.forest_trees,
        height=settings.forest_height,
        window_size=window,
        seed=settings.forest_seed,
    )
    sad = StandardAbsoluteDeviation(settings.deviation_feature)
    if sad.feature in places:
        sad.learn_values(columns.features[prepared.parts.training, places[sad.feature]].tolist())
    return Model(hst, sad)


def scores_of(model: Model, prepared: Prepared) -> Scores:
    """Let a model, champion or challenger, score the hold-out; it learns nothing from it."""
    from retraining_job.model.model import compute_deviation_scores, compute_forest_scores  # noqa: PLC0415

    columns, held = prepared.columns, prepared.columns.features[prepared.parts.hold_out]
    return Scores(
        compute_forest_scores(model, columns.names, held),
        compute_deviation_scores(model, columns.names, held),
    )


def input_change(
    prepared: Prepared, champion: ChampionInput | None, settings: Tunables
) -> InputChange:
    """Compare the shape of the events with the input that the champion was made for."""
    return compare_input(
        measure_columns(prepared.columns, prepared.parts.hold_out_start),
        champion,
        limit=settings.input_change_limit,
        accepted=settings.accept_input_change,
    )


def judge(  # noqa: PLR0913  # everything that decides, most of it by keyword
    prepared: Prepared,
    challenger: Scores,
    champion: tuple[Scores, Contender] | None,
    settings: Tunables,
    *,
    threshold: float,
    threshold_source: str,
    provenance: Provenance,
    fingerprint: str = "",
    change: InputChange | None = None,
) -> tuple[Decision, Evidence]:
    """Judge a challenger against the champion and give everything that decided.

    Args:
        prepared: the events.
        challenger: what it makes of the hold-out.
        champion: what that makes of the hold-out, with its version, fingerprint and training window
            as far as known; None where there is no live model.
        settings: of the run.
        threshold: the live one.
        threshold_source: `setting`, or the Redis key that it was read from.
        provenance: of the run.
        fingerprint: the challenger's.
        change: of the input since the champion was trained; None where that was not looked at.
    """
    columns, parts, truth = prepared.columns, prepared.parts, prepared.held_truth
    record = parts.build_split(columns.times, columns.truth)
    mine = mixture_of(challenger, settings)
    theirs = None if champion is None else mixture_of(champion[0], settings)
    edges = plot_data.compute_histogram_edges(mine, mine if theirs is None else theirs)
    measure = Measure(truth, settings, threshold, edges)
    facts = Contender(fingerprint=fingerprint, trained=record.training)
    challenger_record = contender(facts, challenger, measure)
    champion_record, comparison, chance, margin = None, None, None, settings.margin
    coverage: LabelCoverage | None = None
    seed, judges = (
        settings.forest_seed,
        not find_hold_out_problem(record, settings),
    )
    if judges:
        chance = run_permutation_test(truth, mine, seed=seed)
    if champion is not None and theirs is not None:
        champion_record = contender(champion[1], champion[0], measure)
        coverage = (
            compute_label_coverage(truth, theirs, threshold) if champion_record.usable else None
        )
        if challenger_record.usable:
            matching = metrics.find_matching_threshold(mine, int((theirs > threshold).sum()))
            challenger_record = challenger_record.model_copy(
                update={"matching_threshold": matching}
            )
        if judges:
            precisions = [
                metrics.average_precision(truth, scores) or 0.0 for scores in (mine, theirs)
            ]
            margin = compute_margin(precisions[1], record, settings)
            comparison = bootstrap.compute_comparison(
                truth, mine, theirs, difference=precisions[0] - precisions[1], seed=seed
            )
    evidence = Evidence(
        provenance=provenance,
        split=record,
        features=prepared.features,
        threshold=threshold,
        threshold_source=threshold_source,
        policy=settings.policy,
        margin=margin,
        chance=chance,
        challenger=challenger_record,
        champion=champion_record,
        comparison=comparison,
        input=change,
        reading=describe_reading(columns.facts),
        labels=coverage,
        hidden=hidden_losses(challenger_record, champion_record, settings.margin)
        if comparison
        else [],
        identical=champion is not None and alike(challenger, fingerprint, *champion),
        periods=periods(columns.times[parts.hold_out], truth, mine, theirs, threshold),
        notes=[
            *notes(prepared, record, settings),
            *notes_on(challenger_record, champion_record, threshold),
        ],
    )
    decision = promotion_policy.decide_promotion(evidence, settings)
    said = {"verdict": decision.verdict, "reason": decision.reason, "message": decision.text}
    return decision, evidence.model_copy(update=said)


def mixture_of(scores: Scores, settings: Tunables) -> np.ndarray:
    """Give the scores that the live service would use, fit to be sorted."""
    return replace_non_finite(scores.combine(settings.forest_weight, settings.deviation_weight))


def contender(facts: Contender, scores: Scores, measure: Measure) -> Contender:
    """Add to what is known of a contender what it reached on the hold-out."""
    truth, settings, threshold = measure.truth, measure.settings, measure.threshold
    mixture = mixture_of(scores, settings)
    problem = scores.find_problem(settings.forest_weight, settings.deviation_weight)
    precision, recall = metrics.precision_recall_at_threshold(truth, mixture, threshold)
    return facts.model_copy(
        update={
            "figures": metrics.compute_metrics(truth, scores, settings, threshold),
            "usable": not problem,
            "problem": problem,
            "threshold_precision": precision,
            "threshold_recall": recall,
            "curve": plot_data.compute_curve(truth, mixture),
            "histogram": plot_data.compute_histogram(truth, mixture, measure.edges),
        }
    )


def hidden_losses(
    challenger: Contender, champion: Contender | None, margin: float
) -> list[HiddenLoss]:
    """Find the parts that got worse by more than the margin, while the combined score did not.

    Args:
        challenger: With its figures.
        champion: None where there is none.
        margin: By how much average precision may be worse (the setting).
    """
    if champion is None or loss(challenger, champion, "mixture") > margin:
        return []
    return [
        HiddenLoss(
            part=part,
            champion=precision_of(champion, part) or 0.0,
            challenger=precision_of(challenger, part) or 0.0,
        )
        for part in ("hst", "sad")
        if loss(challenger, champion, part) > margin
    ]


def loss(challenger: Contender, champion: Contender, part: str) -> float:
    """Return by how much average precision got worse; 0 where it is not known for both."""
    mine, theirs = precision_of(challenger, part), precision_of(champion, part)
    return 0.0 if mine is None or theirs is None else theirs - mine


def precision_of(one: Contender, part: str) -> float | None:
    """Return the average precision of one part, or of the combined score."""
    found: PartMetrics | None = getattr(one.figures, part)
    return found.average_precision if found else None


def alike(challenger: Scores, fingerprint: str, champion: Scores, facts: Contender) -> bool:
    """Tell whether the challenger is the champion again."""
    same_scores = np.array_equal(challenger.hst, champion.hst) and np.array_equal(
        challenger.sad, champion.sad
    )
    return same_scores or bool(fingerprint and fingerprint == facts.fingerprint)


def periods(
    times: np.ndarray,
    truth: np.ndarray,
    challenger: np.ndarray,
    champion: np.ndarray | None,
    threshold: float,
) -> list[Period]:
    """Give the figures over time: the hold-out in about ten stretches, equal in rows."""
    stretches = np.array_split(np.arange(len(truth)), min(PERIODS, len(truth)))
    found = []
    for rows in (slice(int(stretch[0]), int(stretch[-1]) + 1) for stretch in stretches):
        window, theirs = compute_window(times[rows]), None if champion is None else champion[rows]
        found.append(
            Period(
                first=window.first,
                last=window.last,
                rows=window.rows,
                anomalies=int((truth[rows] == 1).sum()),
                challenger_average_precision=metrics.average_precision(
                    truth[rows], challenger[rows]
                ),
                champion_average_precision=None
                if theirs is None
                else metrics.average_precision(truth[rows], theirs),
                challenger_alert_rate=metrics.alert_rate(challenger[rows], threshold),
                champion_alert_rate=None
                if theirs is None
                else metrics.alert_rate(theirs, threshold),
            )
        )
    return found


def notes(prepared: Prepared, record: Split, settings: Tunables) -> list[str]:
    """Say what a reader should know of the events besides."""
    columns, said = prepared.columns, []
    if left_out := [record for record in prepared.features if record.scaling == "left out"]:
        names = ", ".join(f"{record.name} ({record.note})" for record in left_out[:10])
        more = f" and {len(left_out) - 10} more" if len(left_out) > 10 else ""
        said.append(f"The trees do not use {names}{more}.")
    if settings.deviation_feature not in columns.names:
        said.append(
            f"No event has the feature {settings.deviation_feature}, so the deviation score is 0 for all of them "
            f"({value_name('deviation_feature')})."
        )
    if columns.neutral:
        said.append(
            f"{columns.neutral:,} of {len(columns.truth):,} events were read without features."
        )
    if record.unlabelled:
        said.append(
            f"{record.unlabelled:,} of {record.hold_out.rows:,} held-out events have no label and judge nobody."
        )
    return said


def notes_on(challenger: Contender, champion: Contender | None, threshold: float) -> list[str]:
    """Say what a reader should know of the contenders besides."""
    said = []
    if champion is not None and champion.trained is None:
        said.append(
            "It is not known which events the champion was trained on. If it has learned some of the hold-out, its "
            "figures flatter it."
        )
    if champion is not None and champion.problem:
        said.append(f"The champion's own scores are of no use: {champion.problem}.")
    rate = challenger.combined.alert_rate
    if rate in {0.0, 1.0}:
        how = "all" if rate else "none"
        said.append(
            f"At the threshold of {threshold:g} the challenger raises an alert for {how} of the held-out events."
        )
    return said
