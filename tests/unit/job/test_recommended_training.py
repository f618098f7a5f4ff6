"""What the `recommended` preset learns, from which rows and features, with small real forests."""

from dataclasses import replace

import numpy as np
import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.contract import Scaling, Verdict
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.scores import Scores
from retraining_job.model.model import Model
from retraining_job.presets import recommended
from retraining_job.presets.recommended import SplitEvents
from tests.quality.stream import NAMES
from tests.unit.job.recommended_events import (
    ROWS,
    SETTINGS,
    build_events,
    evaluate_scores,
    split,
    train_and_score,
)


@pytest.fixture(scope="module")
def prepared() -> SplitEvents:
    return split(build_events())


@pytest.fixture(scope="module")
def healthy(prepared: SplitEvents) -> Scores:
    return train_and_score(prepared)


def test_model_takes_raw_features_and_scores_as_river_does_on_scaled_ones(
    prepared: SplitEvents,
) -> None:
    settings = SETTINGS.model_copy(update={"scaling": Scaling.LINEAR})
    linear = split(prepared.columns, settings)
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
    other = split(replace(prepared.columns, features=features))
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


def test_features_that_cannot_be_used_are_left_out_and_reported() -> None:
    events = build_events()
    features = events.features.copy()
    features[:, 1], features[:4_000, 2] = 7.0, np.nan
    prepared = split(replace(events, features=features))
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
