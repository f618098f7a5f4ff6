"""The deviation score."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.deviation import StandardAbsoluteDeviation

AMOUNTS = st.floats(min_value=-1e6, max_value=1e6)


def learned(values: list[float]) -> StandardAbsoluteDeviation:
    deviation = StandardAbsoluteDeviation("amount")
    for value in values:
        deviation.learn_one({"amount": value, "other": -1.0})
    return deviation


@given(st.lists(AMOUNTS, min_size=2), AMOUNTS)
def test_score_is_the_distance_in_three_deviations(values: list[float], value: float) -> None:
    score = learned(values).score_one({"amount": value})
    assert 0.0 <= score <= 1.0
    deviation = statistics.stdev(values)
    if deviation > 1e-3:
        expected = min(abs(value - statistics.fmean(values)) / (3 * deviation), 1.0)
        assert math.isclose(score, expected, rel_tol=1e-6, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("values", "features", "score"),
    [
        pytest.param([], {"amount": 5.0}, 0.0, id="nothing is learned"),
        pytest.param([1.0], {"amount": 5.0}, 0.0, id="one event says nothing of the spread"),
        pytest.param([1.0, 1.0], {"amount": 1.0}, 0.0, id="no spread, at the mean"),
        pytest.param([1.0, 1.0], {"amount": 5.0}, 1.0, id="no spread, away from the mean"),
        pytest.param([1.0, 2.0], {"other": 5.0}, 0.0, id="without the feature"),
        pytest.param([1.0, 2.0], {"amount": math.nan}, 0.0, id="not a number"),
        pytest.param([1.0, 2.0], {"amount": 1e300}, 1.0, id="far away"),
    ],
)
def test_edges(values: list[float], features: dict[str, float], score: float) -> None:
    assert learned(values).score_one(features) == score


def test_events_without_the_feature_change_nothing() -> None:
    deviation = learned([1.0, 2.0, 4.0])
    before = dict(vars(deviation))
    deviation.learn_one({"other": 1.0})
    deviation.learn_one({"amount": math.inf})
    assert vars(deviation) == before
