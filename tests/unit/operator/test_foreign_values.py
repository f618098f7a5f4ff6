"""Objects, rows and documents of any shape are a value or a sentence. Others are not affected."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_operator.api.fields import Fields, bound_value, parse_time, read_integer
from tests.fuzz.mutator import list_paths, replace_part
from tests.fuzz.operator_targets import GENUINE, TARGETS
from tests.system.random_input import values


@pytest.mark.parametrize("name", GENUINE)
def test_each_part_may_have_any_type(name: str) -> None:
    for genuine in GENUINE[name]:
        for path in list_paths(genuine):
            for part in (None, True, -1, 1.5, "x", [], {}, [None], {"x": None}, "\0\n", 2**70):
                TARGETS[name](json.dumps(replace_part(genuine, path, part)).encode())


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        (3.0, 3),
        ("3", 3),
        (True, None),
        (3.5, None),
        (float("inf"), None),
        (float("nan"), None),
        ("\u0663", None),
        ("3" * 30, None),
        ("-3", None),
        ("", None),
        (None, None),
        ([3], None),
    ],
)
def test_only_numbers_are_integers(value: object, number: int | None) -> None:
    assert read_integer(value) == number


@given(st.one_of(st.text(max_size=50), values))
def test_time_can_be_compared_and_added_to(value: object) -> None:
    moment = parse_time(value)
    if moment is not None:
        assert 1970 <= moment.year <= 2999


@given(values)
def test_bounded_value_is_small_json(value: object) -> None:
    assert len(json.dumps(bound_value(value))) < 500_000


def test_large_value_is_bounded() -> None:
    huge = {"a": ["x" * 10_000] * 10_000, **{str(number): {} for number in range(10_000)}}
    assert len(json.dumps(bound_value(huge))) < 500_000
    assert Fields.of(huge).text("a") == ""
