"""Objects, rows and documents of any shape are a value or a sentence. Others are not affected."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from retraining_operator.api.fields import Fields, bound_value, parse_time, read_integer
from tests.system.random_input import values
from tests.unit.operator.foreign_targets import TARGETS

TIMES = ["2999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "now", ""]
poison = st.one_of(
    values,
    st.sampled_from(
        [
            *TIMES,
            2**63,
            -(2**63),
            10**400,
            1e308,
            "9" * 5000,
            "x" * 100_000,
            [[[[[[]]]]]],
            {"a": {"a": {"a": {"a": {"a": {}}}}}},
            ["x"] * 5000,
            "\ud800",
            "\x1b[31m\n",
            True,
        ]
    ),
)


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all parts of a JSON value."""
    found = [path]
    if isinstance(value, dict):
        for name, part in value.items():
            found += list_paths(part, (*path, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            found += list_paths(part, (*path, index))
    return found


def replace_part(value: Any, path: tuple[Any, ...], part: Any, *, remove: bool) -> Any:
    """Return a JSON value with one part replaced or removed."""
    if not path:
        return part
    changed = copy.deepcopy(value)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if remove and isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = part
    return changed


@st.composite
def mutants(draw: st.DrawFn, genuine: Any) -> bytes:
    """Draw a genuine value with up to three parts changed, as JSON."""
    value = genuine
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list_paths(value)))
        value = replace_part(value, path, draw(poison), remove=draw(st.booleans()))
    return json.dumps(value).encode()


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@examples(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_object_is_a_value_or_a_sentence(name: str, data: st.DataObject) -> None:
    target, genuine = TARGETS[name]
    target(data.draw(mutants(genuine)))


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@examples(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_sentence(name: str, data: bytes) -> None:
    target, _ = TARGETS[name]
    target(data)


@pytest.mark.parametrize("name", TARGETS)
def test_genuine_value_is_read(name: str) -> None:
    target, genuine = TARGETS[name]
    target(json.dumps(genuine).encode())


@pytest.mark.parametrize("name", TARGETS)
def test_each_part_may_have_any_type(name: str) -> None:
    target, genuine = TARGETS[name]
    for path in list_paths(genuine):
        for part in (None, True, -1, 1.5, "x", [], {}, [None], {"x": None}, "\0\n", 2**70):
            target(json.dumps(replace_part(genuine, path, part, remove=False)).encode())


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
