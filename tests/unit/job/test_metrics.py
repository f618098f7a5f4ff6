"""Metrics, compared with simple implementations, and computed by hand for ties."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.contract import (
    Contenders,
    PartMetrics,
    Result,
    Tunables,
    Verdict,
    VerdictReason,
    Window,
)
from retraining_job.evaluation import metrics, plot_data
from retraining_job.evaluation.scores import Scores

ROWS = st.lists(
    st.tuples(st.sampled_from([1, 0, 0, -1]), st.integers(-3, 5).map(float)),
    min_size=1,
    max_size=60,
)
TRUTH = np.array([1, 0, 1, 0, 0, -1])
SCORES = np.array([0.9, 0.8, 0.7, 0.7, 0.1, 0.95])


def columns(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    truth, scores = zip(*rows, strict=True)
    return np.array(truth), np.array(scores)


@given(ROWS)
def test_average_precision_is_scikit_learns(rows: list[tuple[int, float]]) -> None:
    known = [(label, score) for label, score in rows if label >= 0]
    anomalies = sum(label for label, _ in known)
    expected, before = 0.0, 0
    for threshold in sorted({score for _, score in known}, reverse=True):
        alerts = [label for label, score in known if score >= threshold]
        if anomalies:
            expected += (sum(alerts) - before) / anomalies * sum(alerts) / len(alerts)
        before = sum(alerts)
    found = metrics.average_precision(*columns(rows))
    assert found == (pytest.approx(expected) if anomalies else None)


@given(ROWS)
def test_roc_auc_is_the_share_of_pairs_in_order(rows: list[tuple[int, float]]) -> None:
    pairs = [
        (above > below) + (above == below) / 2
        for anomaly, above in rows
        for normal, below in rows
        if anomaly == 1 and normal == 0
    ]
    assert metrics.roc_auc(*columns(rows)) == (
        pytest.approx(sum(pairs) / len(pairs)) if pairs else None
    )


@given(ROWS, st.floats(0.01, 1.0))
def test_rows_at_the_edge_of_the_budget_share_the_alerts(
    rows: list[tuple[int, float]], budget: float
) -> None:
    left, hits, misses = math.ceil(budget * len(rows)), 0.0, 0.0
    for level in sorted({score for _, score in rows}, reverse=True):
        equal = [label for label, score in rows if score == level]
        part = min(1.0, left / len(equal))  # what a fair draw takes of each of them on average
        hits, misses = hits + part * equal.count(1), misses + part * equal.count(0)
        left -= min(left, len(equal))
    precision, recall = metrics.precision_recall_at_budget(*columns(rows), budget)
    anomalies = sum(label == 1 for label, _ in rows)
    assert recall == (pytest.approx(hits / anomalies) if anomalies else None)
    assert precision == (pytest.approx(hits / (hits + misses)) if hits + misses else None)


@pytest.mark.parametrize(
    ("budget", "precision", "recall"),
    [
        pytest.param(
            2 / 6,
            1.0,
            0.5,
            id="one alert falls on an unknown event, which is neither right nor wrong",
        ),
        pytest.param(4 / 6, 0.5, 0.75, id="the fourth is shared by two that are equal"),
        pytest.param(1.0, 0.4, 1.0, id="all"),
    ],
)
def test_budget_by_hand(budget: float, precision: float, recall: float) -> None:
    assert metrics.precision_recall_at_budget(TRUTH, SCORES, budget) == pytest.approx(
        (precision, recall)
    )


def test_score_equal_to_the_threshold_is_no_alert() -> None:
    assert metrics.alert_rate(SCORES, 0.7) == pytest.approx(3 / 6)
    assert metrics.accuracy(TRUTH, SCORES, 0.7) == pytest.approx(3 / 5)
    assert metrics.precision_recall_at_threshold(TRUTH, SCORES, 0.7) == pytest.approx(
        (1 / 2, 1 / 2)
    )
    assert metrics.precision_recall_at_threshold(TRUTH, SCORES, 0.95) == (None, 0.0)
    assert metrics.accuracy(TRUTH, SCORES, 0.8) == pytest.approx(4 / 5)
    assert metrics.accuracy(TRUTH, SCORES, 0.65) == pytest.approx(3 / 5)


def test_recall_without_a_known_anomaly_is_unknown() -> None:
    normal = np.array([0, 0, -1])
    assert metrics.precision_recall_at_threshold(normal, np.array([0.9, 0.1, 0.5]), 0.5) == (
        0.0,
        None,
    )
    recall, precision = metrics.precision_recall(normal, np.array([0.9, 0.1, 0.5]))
    assert (len(recall), len(precision)) == (0, 0)


def test_non_finite_scores_rank_last_as_one_group() -> None:
    useless = np.full(4, -np.inf)
    assert metrics.average_precision(np.array([1, 0, 0, 0]), useless) == 0.25
    useless[1] = 0.5
    assert metrics.precision_recall(np.array([1, 0, 0, 0]), useless)[0].tolist() == [0.0, 1.0]


def test_metrics_without_labels_are_unknown() -> None:
    unknown = np.full(6, -1)
    found = metrics.compute_metrics(unknown, Scores(SCORES, SCORES), Tunables(), 0.7)
    assert found.precision is None
    assert found.combined is not None
    assert (
        found.combined.average_precision,
        found.combined.roc_auc,
        found.combined.budget_recall,
    ) == (None, None, None)
    assert found.combined.alert_rate == 0.5
    assert plot_data.compute_curve(unknown, SCORES) is None


@given(st.lists(st.integers(0, 20).map(float), min_size=1, max_size=40), st.integers(0, 40))
def test_matching_threshold_raises_as_many_alerts(values: list[float], alerts: int) -> None:
    scores, alerts = np.array(values), min(alerts, len(values))
    raised = int((scores > metrics.find_matching_threshold(scores, alerts)).sum())
    at_edge = (
        len(values) == alerts
        or alerts == 0
        or sorted(values)[-alerts] != sorted(values)[-alerts - 1]
    )
    assert raised == alerts if at_edge else raised < alerts


@pytest.mark.parametrize(
    ("alerts", "threshold"), [(0, 8.0), (1, 6.0), (2, 3.0), (3, 1.5)], ids="{} alerts".format
)
def test_matching_threshold_is_in_the_middle_of_two_scores(alerts: int, threshold: float) -> None:
    assert metrics.find_matching_threshold(np.array([4.0, 1.0, 8.0, 2.0]), alerts) == threshold


def test_matching_threshold_separates_scores_without_a_number_between_them() -> None:
    below = np.nextafter(1.0, 2.0)
    above = np.nextafter(below, 2.0)
    assert metrics.find_matching_threshold(np.array([below, above]), 1) == below


def test_metrics_of_a_model_are_those_of_its_score_and_its_parts() -> None:
    parts = Scores(
        np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.3]), np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.5])
    )
    settings = Tunables(forest_weight=0.8, deviation_weight=0.2, alert_budget=0.5)
    found = metrics.compute_metrics(TRUTH, parts, settings, 0.6)
    assert found.precision == 0.6
    assert found.combined == PartMetrics(
        average_precision=0.583333,
        roc_auc=0.666667,
        budget_precision=0.666667,
        budget_recall=1.0,
        alert_rate=0.333333,
    )
    assert found.hst == PartMetrics(
        average_precision=0.833333,
        roc_auc=0.833333,
        budget_precision=0.666667,
        budget_recall=1.0,
        alert_rate=0.5,
    )
    assert found.sad == PartMetrics(
        average_precision=0.4, roc_auc=0.0, budget_precision=0.0, budget_recall=0.0, alert_rate=0.5
    )


def test_curve_is_thinned_and_includes_its_ends() -> None:
    random = np.random.default_rng(1)
    truth = (random.random(20_000) < 0.1).astype(int)
    scores = random.normal(truth, 1.0)
    recall, _ = metrics.precision_recall(truth, scores)
    drawn = plot_data.compute_curve(truth, scores)
    assert drawn is not None
    assert len(recall) > 10_000
    assert len(drawn.recall) == len(drawn.precision) <= 200
    assert drawn.recall == sorted(drawn.recall)
    assert (drawn.recall[0], drawn.recall[-1]) == (round(1 / truth.sum(), 6), 1.0)


def test_histograms_share_their_edges() -> None:
    one, other = np.array([0.0, 0.5, 1.0]), np.array([2.0, 2.0, -np.inf])
    edges = plot_data.compute_histogram_edges(one, other)
    assert (edges[0], edges[-1]) == (0.0, 2.0)
    counted = plot_data.compute_histogram(np.array([1, 0, -1]), other, edges)
    assert (sum(counted.anomalies), sum(counted.normal)) == (1, 1)


def test_metrics_fit_into_the_result_document() -> None:
    random = np.random.default_rng(1)
    truth = (random.random(997) < 0.3).astype(int)
    one = metrics.compute_metrics(
        truth, Scores(random.random(997), random.random(997)), Tunables(alert_budget=0.037), 0.7
    )
    moment = datetime(2026, 1, 1, 1, 1, 1, 123456, tzinfo=UTC)
    result = Result(
        run_id="r" * 63,
        verdict=Verdict.INSUFFICIENT_DATA,
        reason=VerdictReason.CHAMPION_SAW_HOLD_OUT,
        message="m" * 900,
        n_samples=1_000_000,
        version=1_000_000,
        champion_version=1_000_000,
        window=Window(first=moment, last=moment, rows=1_000_000),
        metrics=Contenders(challenger=one, champion=one),
        started_at=moment,
        finished_at=moment,
    )
    assert len(json.loads(result.document())["message"]) == 900
