"""The `recommended` preset, whole: real forests, small ones, on a made-up stream."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.contract import Preset, Scaling, Tunables, Verdict, VerdictReason
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.evaluation.scores import Scores
from retraining_job.events.columns import Columns
from retraining_job.model.model import Model
from retraining_job.presets import recommended
from retraining_job.presets.recommended import SplitEvents
from retraining_job.presets.recommended_evaluation import (
    EvaluationContext,
    ScoredModel,
    evaluate,
)
from tests.quality.stream import NAMES, build_stream
from tests.quality.trial import build_provenance

ROWS = 8_070
SETTINGS = Tunables(
    preset=Preset.RECOMMENDED,
    forest_trees=25,
    forest_height=5,
    forest_window=100,
    forest_weight=1.0,
    deviation_weight=0.0,
    hold_out_anomalies=15,
)


def columns(rows: int = ROWS, seed: int = 1) -> Columns:
    made, none = build_stream(seed, rows), np.zeros(len(NAMES), np.int64)
    features = np.asfortranarray(made.features)
    return Columns(made.times, NAMES, features, made.truth, none, none, 0, "0" * 64, 0, 0, none, 0)


def ready(
    events: Columns, settings: Tunables = SETTINGS, until: datetime | None = None
) -> SplitEvents:
    prepared = recommended.prepare(events, settings, until)
    assert isinstance(prepared, SplitEvents)
    return prepared


def evaluate_scores(
    prepared: SplitEvents,
    challenger: Scores,
    champion: tuple[Scores, Contender] | None,
    settings: Tunables = SETTINGS,
    **more: Any,
) -> tuple[Decision, Evidence]:
    context = EvaluationContext(
        settings, 0.7, "setting", build_provenance(prepared.columns, settings), **more
    )
    return evaluate(prepared, challenger, champion and ScoredModel(*champion), context)


@pytest.fixture(scope="module")
def prepared() -> SplitEvents:
    return ready(columns())


@pytest.fixture(scope="module")
def healthy(prepared: SplitEvents) -> Scores:
    return recommended.score_hold_out(recommended.train_model(prepared, SETTINGS), prepared)


@pytest.fixture(scope="module")
def misled(prepared: SplitEvents) -> Scores:
    """Return the scores of a model that was trained on each feature under the next name."""
    other = ready(replace(prepared.columns, features=np.roll(prepared.columns.features, 1, axis=1)))
    return recommended.score_hold_out(recommended.train_model(other, SETTINGS), prepared)


def test_model_takes_raw_features_and_scores_as_river_does_on_scaled_ones(
    prepared: SplitEvents,
) -> None:
    settings = SETTINGS.model_copy(update={"scaling": Scaling.LINEAR})
    linear = ready(prepared.columns, settings)
    model = recommended.train_model(linear, settings)
    low, high = (
        np.array([getattr(scaling, end) for scaling in linear.scalings]) for end in ("low", "high")
    )
    scaled = (prepared.columns.features - low) / (high - low)
    river = HalfSpaceTrees(n_trees=25, height=5, window_size=100, seed=42)
    for row in scaled[linear.parts.training].tolist():
        river.learn_one(dict(zip(NAMES, row, strict=True)))
    expected = [
        river.score_one(dict(zip(NAMES, row, strict=True)))
        for row in scaled[linear.parts.hold_out].tolist()
    ]
    assert recommended.score_hold_out(model, linear).hst == pytest.approx(expected, abs=1e-12)


def test_nothing_is_learned_from_the_hold_out(prepared: SplitEvents, healthy: Scores) -> None:
    features = prepared.columns.features.copy()
    features[prepared.parts.training_rows :] *= 1_000.0
    other = ready(replace(prepared.columns, features=features))
    assert other.scalings == prepared.scalings
    again = recommended.score_hold_out(recommended.train_model(other, SETTINGS), prepared)
    assert np.array_equal(again.hst, healthy.hst)
    assert np.array_equal(again.sad, healthy.sad)


def test_deviation_learns_its_feature_raw_from_the_training_rows_alone(
    prepared: SplitEvents,
) -> None:
    model = recommended.train_model(prepared, SETTINGS)
    amounts = prepared.columns.features[prepared.parts.training, NAMES.index("amount")]
    assert (model.sad.feature, model.sad.count) == ("amount", prepared.parts.training_rows)
    assert model.sad.mean == pytest.approx(amounts.mean())


def test_better_model_replaces_a_worse_one_and_not_the_reverse(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    facts = Contender(
        version=7,
        trained=prepared.parts.build_split(prepared.columns.times, prepared.columns.truth).training,
    )
    won, evidence = evaluate_scores(prepared, healthy, (misled, facts))
    lost, _ = evaluate_scores(prepared, misled, (healthy, facts))
    assert (won.verdict, won.reason, won.promotes) == (
        Verdict.PROMOTED,
        VerdictReason.NOT_INFERIOR,
        True,
    )
    assert (lost.verdict, lost.reason, lost.promotes) == (
        Verdict.KEPT,
        VerdictReason.INFERIOR,
        False,
    )
    assert evidence.comparison is not None
    assert evidence.comparison.lower > 0.0
    assert (evidence.verdict, evidence.reason, evidence.message) == (
        won.verdict,
        won.reason,
        won.message,
    )
    assert evidence.champion is not None
    assert evidence.champion.version == 7
    assert evidence.challenger.histogram is not None
    assert evidence.champion.histogram is not None
    assert evidence.challenger.histogram.edges == evidence.champion.histogram.edges
    assert sum(period.rows for period in evidence.periods) == len(healthy.hst)
    assert len(evidence.periods) == 10
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


def test_same_run_gives_the_same_evidence(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    again = recommended.score_hold_out(recommended.train_model(prepared, SETTINGS), prepared)
    assert evaluate_scores(prepared, healthy, (misled, Contender())) == evaluate_scores(
        prepared, again, (misled, Contender())
    )


def test_challenger_that_is_the_champion_again_is_identical(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    for champion, print_ in ((healthy, ""), (misled, "f" * 64)):
        decision, _ = evaluate_scores(
            prepared, healthy, (champion, Contender(fingerprint=print_)), fingerprint="f" * 64
        )
        assert (decision.verdict, decision.promotes) == (Verdict.IDENTICAL, False)


def test_champion_with_an_unknown_training_window_is_evaluated_and_mentioned(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    decision, evidence = evaluate_scores(prepared, healthy, (misled, Contender(version=7)))
    assert decision.promotes
    assert "not known which events the champion was trained on" in decision.message
    assert any("not known which events" in note for note in evidence.notes)


def test_champion_that_has_learned_the_hold_out_is_not_compared(
    healthy: Scores, misled: Scores
) -> None:
    prepared = ready(columns(), until=datetime(2100, 1, 1, tzinfo=UTC))
    decision, _ = evaluate_scores(prepared, healthy, (misled, Contender(version=7)))
    assert (decision.verdict, decision.reason) == (
        Verdict.INCONCLUSIVE,
        VerdictReason.CHAMPION_SAW_HOLD_OUT,
    )


def test_first_model_goes_live_only_if_it_is_better_than_chance(
    prepared: SplitEvents, healthy: Scores
) -> None:
    decision, evidence = evaluate_scores(prepared, healthy, None)
    assert (decision.verdict, decision.reason, decision.promotes) == (
        Verdict.FIRST_MODEL,
        VerdictReason.NO_CHAMPION,
        True,
    )
    assert evidence.champion is None
    random = np.random.default_rng(1)
    noise = Scores(random.random(len(healthy.hst)), healthy.sad * 0.0)
    decision, _ = evaluate_scores(prepared, noise, None)
    assert (decision.reason, decision.promotes) == (VerdictReason.BELOW_FLOOR, False)


@pytest.mark.parametrize("seed", range(6))
def test_labels_of_other_events_promote_no_challenger(
    prepared: SplitEvents, healthy: Scores, misled: Scores, seed: int
) -> None:
    labels, held = prepared.columns.truth.copy(), prepared.parts.hold_out
    labels[held] = np.random.default_rng(seed).permutation(labels[held])
    shuffled = replace(prepared, columns=replace(prepared.columns, truth=labels))
    for challenger, champion in (
        (healthy, (misled, Contender())),
        (misled, (healthy, Contender())),
        (healthy, None),
    ):
        assert not evaluate_scores(shuffled, challenger, champion)[0].promotes


def test_verdict_without_labels_is_inconclusive(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    blind = replace(prepared, columns=replace(prepared.columns, truth=np.full(ROWS, -1, np.int8)))
    decision, evidence = evaluate_scores(blind, healthy, (misled, Contender()))
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, VerdictReason.NO_TRUTH)
    assert evidence.comparison is None
    assert evidence.challenger.metrics.precision is None
    assert evaluate_scores(blind, healthy, None)[
        0
    ].promotes  # a first model goes live untested, and the message mentions it


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(
    prepared: SplitEvents, healthy: Scores, misled: Scores, broken: float
) -> None:
    hst = healthy.hst.copy()
    hst[17] = broken
    decision, evidence = evaluate_scores(prepared, Scores(hst, healthy.sad), (misled, Contender()))
    assert (decision.verdict, decision.reason) == (Verdict.KEPT, VerdictReason.UNUSABLE_SCORES)
    assert "not a finite number for 1 of 1,614 events" in decision.message
    assert (
        Evidence.model_validate_json(evidence.model_dump_json()).reason
        == VerdictReason.UNUSABLE_SCORES
    )
    dead = Scores(np.ones_like(hst), healthy.sad)
    assert (
        evaluate_scores(prepared, dead, (misled, Contender()))[0].reason
        is VerdictReason.UNUSABLE_SCORES
    )
    decision, evidence = evaluate_scores(
        prepared, healthy, (Scores(hst * np.nan, healthy.sad), Contender())
    )
    assert decision.promotes  # over a champion whose scores nobody can use
    assert any("champion's own scores are unusable" in note for note in evidence.notes)


def test_features_that_cannot_be_used_are_left_out_and_reported() -> None:
    events = columns()
    features = events.features.copy()
    features[:, 1], features[:4_000, 2] = 7.0, np.nan
    prepared = ready(replace(events, features=features))
    model = recommended.train_model(prepared, SETTINGS)
    assert [scaling.name for scaling in prepared.scalings] == [
        name for name in NAMES if name not in NAMES[1:3]
    ]
    decision, evidence = evaluate_scores(
        prepared, recommended.score_hold_out(model, prepared), None
    )
    assert decision.promotes
    assert any(NAMES[1] in note and NAMES[2] in note for note in evidence.notes)
    only_amount = replace(
        events, features=events.features[:, :1], names=NAMES[:1], unusable=events.unusable[:1]
    )
    constant = recommended.prepare(replace(only_amount, features=np.ones((ROWS, 1))), SETTINGS)
    assert isinstance(constant, Decision)
    assert constant.verdict is Verdict.INSUFFICIENT_DATA
    assert "amount: its value is 1 in every training row" in constant.message


def test_missing_deviation_feature_is_noted(prepared: SplitEvents) -> None:
    settings = SETTINGS.model_copy(update={"deviation_feature": "price"})
    model = recommended.train_model(prepared, settings)
    assert model.sad.count == 0
    _, evidence = evaluate_scores(
        prepared, recommended.score_hold_out(model, prepared), None, settings
    )
    assert any("No event has the feature price" in note for note in evidence.notes)


def test_foreign_champion_is_scored_on_raw_features(prepared: SplitEvents) -> None:
    river = HalfSpaceTrees(n_trees=3, height=4, window_size=50, seed=1)
    for row in prepared.columns.features[:120].tolist():
        river.learn_one(dict(zip(NAMES, row, strict=True)))
    scores = recommended.score_hold_out(Model(river, StandardAbsoluteDeviation()), prepared)
    row = dict(
        zip(NAMES, prepared.columns.features[prepared.parts.hold_out][5].tolist(), strict=True)
    )
    assert scores.hst[5] == river.score_one(row)
