"""The bootstrap, compared with drawing rows one by one, and properties of its bounds."""

import numpy as np
import pytest

from retraining_job.evaluation.bootstrap import compute_comparison, resample_precisions
from retraining_job.evaluation.metrics import average_precision


def hold_out(
    rows: int, anomalies: int, *, gain: float, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the truth and the scores of two models, the first better by `gain`, with many ties."""
    random = np.random.default_rng(seed)
    truth = np.zeros(rows, int)
    truth[random.choice(rows, anomalies, replace=False)] = 1
    common = random.normal(0, 1, rows)
    one, other = (
        np.round(common + random.normal(0, 0.5, rows) + shift * truth, 1)
        for shift in (3 + gain, 3.0)
    )
    return truth, one, other


def test_resamples_have_the_distribution_of_drawn_rows() -> None:
    truth, one, other = hold_out(400, 25, gain=0.5)
    drawn = resample_precisions(truth, [one, other], seed=1, draws=4_000)
    random = np.random.default_rng(2)
    classes = [np.flatnonzero(truth == label) for label in (1, 0)]
    plain = np.empty((2, 3_000))
    for draw in range(plain.shape[1]):
        rows = np.concatenate([random.choice(kind, len(kind)) for kind in classes])
        plain[:, draw] = [
            average_precision(truth[rows], scores[rows]) or 0.0 for scores in (one, other)
        ]
    assert drawn.mean(axis=1) == pytest.approx(plain.mean(axis=1), abs=0.01)
    assert drawn.std(axis=1) == pytest.approx(plain.std(axis=1), abs=0.006)
    differences = [np.quantile(both[0] - both[1], [0.05, 0.5, 0.95]) for both in (drawn, plain)]
    assert differences[0] == pytest.approx(differences[1], abs=0.015)  # so they are paired as well


def test_all_resamples_of_equal_rows_have_the_same_average_precision() -> None:
    # Each resample has one anomaly and three normal events, which are equal.
    truth = np.array([1, 0, 0, 0])
    drawn = resample_precisions(
        truth, [np.array([0.5, 0.5, 0.5, 0.5]), np.array([0.5, 0.1, 0.1, 0.1])], seed=3, draws=50
    )
    assert drawn.tolist() == [[0.25] * 50, [1.0] * 50]


def test_equal_scores_raise_their_alerts_together() -> None:
    truth, equal = np.array([1, 1, 1, 0, 0, 0]), np.full(6, 0.5)
    assert resample_precisions(truth, [equal], seed=3, draws=50).tolist() == [[0.5] * 50]


def test_equal_models_have_no_difference() -> None:
    truth, one, _ = hold_out(500, 30, gain=0.0)
    comparison = compute_comparison(truth, one, one, difference=0.0, seed=42)
    assert (comparison.lower, comparison.upper) == (0.0, 0.0)


def test_same_seed_gives_the_same_bounds() -> None:
    truth, one, other = hold_out(500, 30, gain=0.5)
    first, again, another = (
        compute_comparison(truth, one, other, difference=0.0, seed=seed) for seed in (42, 42, 43)
    )
    assert first == again
    assert first.lower != another.lower


def test_bounds_enclose_the_difference_and_narrow_with_more_anomalies() -> None:
    widths = []
    for anomalies in (10, 100):
        truth, one, other = hold_out(3_000, anomalies, gain=0.5)
        difference = (average_precision(truth, one) or 0.0) - (
            average_precision(truth, other) or 0.0
        )
        comparison = compute_comparison(truth, one, other, difference=difference, seed=42)
        assert comparison.lower < difference < comparison.upper
        widths.append(comparison.upper - comparison.lower)
    assert widths[1] < widths[0] / 1.5


def test_small_batches_give_the_same_precisions_on_average(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth, one, other = hold_out(400, 25, gain=0.5)
    monkeypatch.setattr("retraining_job.evaluation.bootstrap.CELLS_AT_ONCE", 1)
    drawn = resample_precisions(truth, [one, other], seed=1, draws=400)
    assert drawn.mean(axis=1) == pytest.approx(
        [average_precision(truth, one), average_precision(truth, other)], abs=0.06
    )


def test_rows_without_a_label_do_not_count() -> None:
    truth, one, other = hold_out(500, 30, gain=0.5)
    more, high = np.append(truth, np.full(200, -1)), np.full(200, 99.0)
    with_them = compute_comparison(
        more, np.append(one, high), np.append(other, high), difference=0.0, seed=1
    )
    assert with_them == compute_comparison(truth, one, other, difference=0.0, seed=1)
