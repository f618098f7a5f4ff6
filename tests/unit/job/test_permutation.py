"""The permutation test, compared with random orders."""

import numpy as np
import pytest

from retraining_job.evaluation.metrics import average_precision
from retraining_job.evaluation.permutation import run_permutation_test


def labels(rows: int, anomalies: int) -> np.ndarray:
    return (np.arange(rows) < anomalies).astype(int)


@pytest.mark.parametrize("ties", [False, True])
def test_result_is_the_greatest_average_precision_of_random_orders(ties: bool) -> None:
    random = np.random.default_rng(1)
    truth, scores = labels(300, 12), random.random(300)
    scores = np.round(scores, 1) if ties else scores
    plain = [average_precision(random.permutation(truth), scores) or 0.0 for _ in range(3_000)]
    limits = [run_permutation_test(truth, scores, seed=seed) for seed in range(5)]
    assert np.median(limits) == pytest.approx(np.quantile(plain, 0.9993), abs=0.06)
    assert np.quantile(plain, 0.99) < min(limits)


def test_result_approaches_the_share_of_anomalies_if_there_are_many() -> None:
    scores = np.random.default_rng(1).random(5_000)
    few, many = (
        run_permutation_test(labels(5_000, anomalies), scores, seed=42) for anomalies in (30, 1_000)
    )
    assert few > 4 * 30 / 5_000
    assert 0.2 < many < 0.25


def test_equal_scores_reach_the_share_of_anomalies_and_unknown_rows_do_not_count() -> None:
    truth = np.append(labels(50, 10), np.full(7, -1))
    assert run_permutation_test(
        truth, np.append(np.ones(50), np.full(7, 9.0)), seed=1
    ) == pytest.approx(0.2)
