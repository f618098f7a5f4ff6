"""Features and truth of single events."""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.events.feature_values import parse_finite_or_zero
from retraining_job.events.features import read_features
from retraining_job.events.scored_event import ScoredEvent
from retraining_job.events.truth import is_anomaly

NAMES = {
    "amount", "amount_vs_user_avg", "amount_zscore", "tx_velocity_ratio", "is_high_risk_merchant",
    "is_odd_hour",
    "location_match", "device_known", "risk_score_raw", "hour_of_day", "day_of_week",
}  # fmt: skip

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def event(
    features_json: str | None = None, amount: object = None, average: object = None
) -> ScoredEvent:
    return ScoredEvent(
        datetime(2025, 1, 1, tzinfo=UTC), amount, None, None, None, average, features_json
    )


def test_event_without_features_gets_the_neutral_ones() -> None:
    features = read_features(event(None, amount=Decimal("12.5"), average=1.5))
    assert set(features) == NAMES
    assert features == {
        "amount": 12.5,
        "amount_vs_user_avg": 1.5,
        "amount_zscore": 0.0,
        "tx_velocity_ratio": 0.0,
        "is_high_risk_merchant": 0.0,
        "is_odd_hour": 0.0,
        "location_match": 0.5,
        "device_known": 0.5,
        "risk_score_raw": 0.0,
        "hour_of_day": 12.0,
        "day_of_week": 3.0,
    }


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(None, id="null"),
        pytest.param("", id="empty text"),
        pytest.param("null", id="JSON's null"),
        pytest.param("{}", id="no feature"),
        pytest.param("[1, 2]", id="a list"),
        pytest.param('"text"', id="a string"),
        pytest.param("{not json", id="no JSON"),
        pytest.param("[" * 100_000, id="nested without end"),
    ],
)
def test_what_is_no_object_counts_as_no_features(kept: str | None) -> None:
    assert read_features(event(kept, amount=1.0, average=2.0)) == read_features(
        event(None, amount=1.0, average=2.0)
    )


def test_features_keep_their_own_names() -> None:
    assert read_features(event('{"rad_flow": 3, "bypass": -0.5}')) == {
        "rad_flow": 3.0,
        "bypass": -0.5,
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("1.5", 1.5, id="a number"),
        pytest.param("7", 7.0, id="an integer"),
        pytest.param("true", 1.0, id="true"),
        pytest.param("false", 0.0, id="false"),
        pytest.param("NaN", 0.0, id="NaN"),
        pytest.param("Infinity", 0.0, id="infinite"),
        pytest.param("-Infinity", 0.0, id="infinite below"),
        pytest.param("1e999", 0.0, id="too large for a float"),
        pytest.param("1" + "0" * 400, 0.0, id="an integer too large for a float"),
        pytest.param('"1.5"', 1.5, id="a number as text"),
        pytest.param('" 1e3 "', 1000.0, id="an exponent and white space"),
        pytest.param('"1_000"', 1000.0, id="underscores"),
        pytest.param('"\uff11\uff12"', 12.0, id="digits of another script"),
        pytest.param('"nan"', 0.0, id="NaN as text"),
        pytest.param('"-inf"', 0.0, id="infinite as text"),
        pytest.param('"1,5"', 0.0, id="a decimal comma"),
        pytest.param('"0x10"', 0.0, id="a hexadecimal number"),
        pytest.param('"true"', 0.0, id="a word"),
        pytest.param('""', 0.0, id="an empty string"),
        pytest.param("1" * 5_000, 0.0, id="an integer of more digits than Python reads"),
        pytest.param("null", 0.0, id="null"),
        pytest.param("[1]", 0.0, id="a list"),
        pytest.param('{"a": 1}', 0.0, id="an object"),
    ],
)
def test_each_value_becomes_a_finite_number(text: str, number: float) -> None:
    assert read_features(event(f'{{"x": {text}}}')) == {"x": number}


@pytest.mark.slow
@given(st.dictionaries(st.text().filter(lambda name: "\0" not in name), JSON_VALUES, min_size=1))
def test_every_object_gives_finite_features_under_its_names(content: dict[str, object]) -> None:
    features = read_features(event(json.dumps(content)))
    assert set(features) == set(content)
    assert all(isinstance(value, float) and math.isfinite(value) for value in features.values())


@given(st.text())
def test_every_text_gives_features(text: str) -> None:
    assert read_features(event(text))


def test_numeric_columns_that_are_no_numbers_count_as_zero() -> None:
    assert parse_finite_or_zero(Decimal("NaN")) == 0.0
    assert parse_finite_or_zero(Decimal("sNaN")) == 0.0
    assert parse_finite_or_zero("12") == 12.0
    assert parse_finite_or_zero("twelve") == 0.0
    assert parse_finite_or_zero(None) == 0.0


@pytest.mark.parametrize(
    ("label", "truth"),
    [
        (None, False), (0, False), (1, True), (True, True), (False, False), (1.0, True),
        (0.0, False),
        (Decimal(1), True), (float("nan"), False), ("1", True), ("0", False), ("true", True),
        ("", False),
    ],
)  # fmt: skip
def test_truth_is_read_from_a_column_of_any_type(label: object, truth: bool) -> None:
    assert is_anomaly(label) is truth
