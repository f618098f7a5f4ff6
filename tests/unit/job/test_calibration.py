"""The calibration of a challenger on its training rows."""

import math
from dataclasses import replace

import numpy as np
import pytest

from retraining_job.calibration.calibrate import select_validation
from retraining_job.calibration.choice import (
    Combination,
    ScoreTarget,
    ValidationRows,
    choose_candidate,
    choose_form,
    select_eligible,
)
from retraining_job.contract import Alerts, Tunables
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.evaluation.metrics import alert_rate, average_precision
from retraining_job.model.deviation_form import PLAIN, DeviationForm, apply_form
from retraining_job.model.forest_shape import ForestShape, list_candidate_shapes
from retraining_job.presets import recommended
from retraining_job.presets.recommended_calibration import FormerModel, calibrate_challenger
from tests.quality.changes import keep_features
from tests.quality.trial import build_columns, prepare

TARGET = ScoreTarget(0.7, 0.3, 0.7, 0.02, Alerts.BUDGET, 3.0)


def learned(*values: float) -> StandardAbsoluteDeviation:
    sad = StandardAbsoluteDeviation("amount")
    sad.learn_values(values)
    return sad


def test_plain_form_changes_nothing() -> None:
    sad = learned(1.0, 2.0, 3.0)
    assert apply_form(sad, PLAIN) is sad


def test_spread_divides_the_scores() -> None:
    sad = learned(1.0, 2.0, 3.0)
    half = apply_form(sad, DeviationForm(spread=2.0))
    for value in (0.5, 2.0, 3.7):
        event = {"amount": value}
        assert half.score_one(event) == pytest.approx(sad.score_one(event) / 2.0, abs=1e-9)


@pytest.mark.parametrize("direction", [1, -1])
def test_level_is_the_score_of_the_mean_and_one_direction_scores_higher(direction: int) -> None:
    formed = apply_form(learned(1.0, 2.0, 3.0), DeviationForm(10.0, direction, 0.4))
    scores = [formed.score_one({"amount": value}) for value in (1.0, 2.0, 3.0)]
    assert scores[1] == pytest.approx(0.4)
    assert sorted(scores, reverse=direction < 0) == scores


def test_formed_score_hardly_changes_while_a_reader_goes_on_learning() -> None:
    formed = apply_form(learned(1.0, 2.0, 3.0), DeviationForm(10.0, 1, 0.4))
    for _ in range(25_000):
        formed.learn_one({"amount": 3.0})
    assert formed.score_one({"amount": 2.0}) == pytest.approx(0.4, abs=0.001)


def test_values_that_are_all_equal_keep_their_score() -> None:
    sad = learned(2.0, 2.0)
    assert apply_form(sad, DeviationForm(3.0, 1, 0.5)) is sad


def test_candidates_have_the_configured_shape_among_them_and_the_smallest_first() -> None:
    configured = ForestShape(25, 15, 250, ("amount", "hour"))
    shapes = list_candidate_shapes(configured, "amount", 3_000)
    assert shapes[-1] == configured
    assert shapes[0] == ForestShape(100, 4, 3_000, configured.names)
    assert len(set(shapes)) == len(shapes)
    assert shapes[-2].names == ("amount",)


@pytest.mark.parametrize(
    ("rows", "anomalies", "expected"),
    [
        (1_000, [], slice(800, 1_000)),
        (100_000, [], slice(90_000, 100_000)),
        (1_000, [700, 990], slice(700, 1_000)),
        (1_000, [500, 990], slice(800, 1_000)),
        (1_000, [500, 750], slice(750, 1_000)),
    ],
    ids=["a fifth", "at most 10,000", "extended", "too far back", "extended for one"],
)
def test_newest_rows_are_for_validation(rows: int, anomalies: list[int], expected: slice) -> None:
    truth = np.zeros(rows, np.int8)
    truth[anomalies] = 1
    assert select_validation(truth, gap=250, size=10_000, anomalies=2) == expected


def test_nothing_is_held_out_if_too_few_rows_would_be_left() -> None:
    found = select_validation(np.zeros(600, np.int8), gap=250, size=5_000, anomalies=30)
    assert found.start == found.stop


def rows_with(truth: np.ndarray, values: np.ndarray) -> ValidationRows:
    sad = learned(*values.tolist())
    return ValidationRows(truth, lambda form: apply_form(sad, form).scores(values))


def test_form_reaches_the_alert_rate_and_does_not_hide_the_forest() -> None:
    random = np.random.default_rng(1)
    truth = (random.random(5_000) < 0.02).astype(np.int8)
    forest = np.where(truth == 1, 0.8, 0.6) + random.normal(0.0, 0.02, 5_000)
    found = choose_form(
        forest, rows_with(truth, random.lognormal(0, 1, 5_000)), TARGET, is_labelled=True
    )
    assert found.has_target_rate
    assert found.alert_rate == pytest.approx(0.02, rel=0.1)
    assert found.average_precision > 0.95 * (average_precision(truth, forest) or 0.0)


def test_rate_that_cannot_be_reached_is_reported() -> None:
    truth = np.zeros(1_000, np.int8)
    forest = np.full(1_000, 0.1)
    found = choose_form(
        forest, rows_with(truth, np.linspace(0, 1, 1_000)), TARGET, is_labelled=False
    )
    assert not found.has_target_rate


def combination(
    scores: np.ndarray, truth: np.ndarray, *, rate: float = 0.02, reached: bool = True
) -> Combination:
    return Combination(PLAIN, scores, average_precision(truth, scores) or 0.0, rate, reached)


def test_first_of_equal_candidates_is_chosen_and_a_better_one_before_it() -> None:
    random = np.random.default_rng(2)
    truth = (random.random(4_000) < 0.02).astype(np.int8)
    noise = random.normal(0.0, 1.0, 4_000)
    bad, good = combination(noise, truth), combination(noise + 4.0 * truth, truth)
    similar = combination(noise + 4.0 * truth + random.normal(0, 1e-3, 4_000), truth)
    assert choose_candidate(truth, [bad, good, similar], TARGET, seed=1) == 1
    assert choose_candidate(truth, [bad, similar, good], TARGET, seed=1) == 1


def test_candidate_that_misses_the_alert_rate_counts_only_without_others() -> None:
    random = np.random.default_rng(3)
    truth = (random.random(4_000) < 0.02).astype(np.int8)
    noise = random.normal(0.0, 1.0, 4_000)
    missed = combination(noise + 4.0 * truth, truth, reached=False)
    assert choose_candidate(truth, [missed, combination(noise, truth)], TARGET, seed=1) == 1
    assert choose_candidate(truth, [missed], TARGET, seed=1) == 0


@pytest.mark.parametrize(
    ("rates", "factor", "expected"),
    [
        ([0.2, 0.05, 0.01], 3.0, [1, 2]),
        ([0.2, 0.1, 0.001], 3.0, [2]),
        ([0.2, 0.1, 0.05], math.inf, [0, 1, 2]),
    ],
    ids=["within the factor", "the nearest", "a threshold is published"],
)
def test_without_a_candidate_that_reaches_the_rate_the_near_ones_count(
    rates: list[float], factor: float, expected: list[int]
) -> None:
    truth = np.array([0, 1], np.int8)
    found = [combination(np.array([0.1, 0.9]), truth, rate=rate, reached=False) for rate in rates]
    assert select_eligible(found, TARGET._replace(factor=factor)) == expected


@pytest.mark.slow
def test_calibrated_model_ranks_better_and_raises_the_alerts_that_it_should() -> None:
    settings = Tunables(alert_budget=0.02)
    prepared = prepare(build_columns(77, 50_000, keep_features), settings)
    found = calibrate_challenger(prepared, settings, 0.7, None)
    assert found is not None
    truth = prepared.held_truth
    plain = recommended.score_hold_out(recommended.train_model(prepared, settings), prepared)
    scores = recommended.score_hold_out(found.model, prepared).combine(0.7, 0.3)
    before = average_precision(truth, plain.combine(0.7, 0.3)) or 0.0
    assert (average_precision(truth, scores) or 0.0) > 2.0 * before
    assert math.isclose(found.record.choice.alert_rate, 0.02, rel_tol=0.1)
    assert alert_rate(scores, 0.7) < 0.1 < alert_rate(plain.combine(0.7, 0.3), 0.7)


@pytest.mark.slow
def test_alert_rate_of_the_champion_is_kept() -> None:
    settings = Tunables()
    prepared = prepare(build_columns(78, 20_000, keep_features), settings)
    truth = prepared.columns.truth[prepared.parts.training]
    validation = select_validation(truth, gap=250, size=5_000, anomalies=30)
    scores = np.linspace(0.0, 1.0, validation.stop - validation.start)
    former = FormerModel(ForestShape(25, 8, 250, ("amount",)), scores)
    found = calibrate_challenger(prepared, settings, 0.7, former)
    assert found is not None
    assert found.record.target_source == "KeepChampion"
    assert found.record.target_rate == pytest.approx(0.3, abs=0.01)
    assert found.record.choice.alert_rate == pytest.approx(0.3, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("known", "labelled"), [(4, False), (5, True)])
def test_a_few_known_anomalies_are_worth_a_comparison(known: int, labelled: bool) -> None:
    settings = Tunables()
    columns = build_columns(79, 20_000, keep_features)
    trained = columns.truth[prepare(columns, settings).parts.training]
    truth = columns.truth.copy()
    truth[: np.flatnonzero(trained == 1)[-known]] = 0
    found = calibrate_challenger(
        prepare(replace(columns, truth=truth), settings), settings, 0.7, None
    )
    assert found is not None
    assert found.record.labelled is labelled
