"""Columns from events."""

import math
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.errors import BadDataError
from retraining_job.events import column_builder
from retraining_job.events.features import read_features
from tests.unit.job.scored_events import START, event, of

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=3,
)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
JSON_OBJECTS = st.dictionaries(
    st.sampled_from(["a", "b", "amount"]) | NAMES, JSON_VALUES, max_size=5
)


def test_events_become_columns_oldest_to_newest() -> None:
    found = of(
        [
            event(3, {"b": 1, "a": 2.5}, 1),
            event(2, {"a": -1, "b": True}, None),
            event(1, {"a": 0, "b": 7}),
        ]
    )
    assert found.names == ("a", "b")
    assert found.features.tolist() == [[0, 7], [-1, 1], [2.5, 1]]
    assert found.truth.tolist() == [0, -1, 1]
    assert [time.replace(tzinfo=UTC) for time in found.times.tolist()] == [
        START + timedelta(seconds=second) for second in (1, 2, 3)
    ]
    assert found.times.dtype == np.dtype("datetime64[us]")
    assert found.features.dtype == np.dtype(np.float64)
    assert found.truth.dtype == np.dtype(np.int8)
    assert (found.missing.tolist(), found.unusable.tolist(), found.neutral) == ([0, 0], [0, 0], 0)


def test_no_event_gives_empty_columns() -> None:
    found = of([])
    assert (found.names, found.features.shape, found.times.shape, found.neutral) == (
        (),
        (0, 0),
        (0,),
        0,
    )


def test_feature_that_appears_late_is_missing_before() -> None:
    found = of(
        [event(5, {"b": 5}), event(4, {"b": 4}), event(3, {"b": 3, "a": 1}), event(2, {"a": 2})]
    )
    assert found.names == ("a", "b")
    assert found.missing.tolist() == [2, 1]
    np.testing.assert_array_equal(found.features, [[2, np.nan], [1, 3], [np.nan, 4], [np.nan, 5]])


@pytest.mark.parametrize(
    "text",
    [
        '{"a": null}', '{"a": "1,5"}',
        '{"a": "0x10"}', '{"a": "nan"}', '{"a": "1e999"}', '{"a": ""}',
        '{"a": 1e400}', '{"a": NaN}', '{"a": -Infinity}', '{"a": [1]}',
        '{"a": 1' + "0" * 400 + "}",
    ],
)  # fmt: skip
def test_what_is_no_finite_number_is_unusable(text: str | None) -> None:
    found = of([event(1, text), event(2, {"a": 1})])
    assert (found.unusable.tolist(), found.missing.tolist(), found.neutral) == ([1], [0], 0)
    np.testing.assert_array_equal(found.features, [[np.nan], [1]])


@pytest.mark.parametrize(
    "text", [None, "", "null", "[1]", "{}", "{not json", '"text"', "[" * 100_000, "{},{}", '{"a":']
)
def test_event_without_stored_features_has_those_of_its_columns(text: str | None) -> None:
    bare = event(1)._replace(features_json=text, amount=Decimal("12.5"))
    found = of([bare, event(2, {"amount": 1, "b": 2, "amount_vs_user_avg": 3})])
    assert found.neutral == 1
    assert found.names == ("amount", "amount_vs_user_avg", "b")
    np.testing.assert_array_equal(found.features, [[12.5, np.nan, np.nan], [1, 3, 2]])
    assert (found.missing.tolist(), found.unusable.tolist()) == ([0, 0, 1], [0, 1, 0])


def test_feature_that_only_such_events_have_is_not_used() -> None:
    assert of([event(1, amount=1.0), event(2, {"b": 2})]).names == ("b",)


def test_events_that_all_lack_features_have_two() -> None:
    found = of([event(1, amount=1.0, average=2.0), event(2, amount=3.0, average=4.0)])
    assert found.names == ("amount", "amount_vs_user_avg")
    assert (found.features.tolist(), found.neutral) == ([[1, 2], [3, 4]], 2)


@pytest.mark.slow
@given(st.lists(st.one_of(st.none(), JSON_VALUES, JSON_OBJECTS), max_size=8), st.integers(1, 4))
def test_columns_contain_the_features_of_each_event(objects: list[Any], size: int) -> None:
    events = [event(number, one, amount=number, average=1.5) for number, one in enumerate(objects)]
    found = of(events, size=size)
    for row, one in zip(found.features, events, strict=True):
        expected = read_features(one)
        for name, number in zip(found.names, row, strict=True):
            assert math.isnan(number) or number == expected[name]
    assert found.neutral == sum(not (isinstance(one, dict) and one) for one in objects)
    missing = [
        sum(not (isinstance(one, dict) and name in one) for one in objects) for name in found.names
    ]
    own = [found.neutral if name in {"amount", "amount_vs_user_avg"} else 0 for name in found.names]
    assert (found.missing + own).tolist() == missing
    assert (
        np.isnan(found.features).sum(axis=0).tolist() == (found.missing + found.unusable).tolist()
    )


@pytest.mark.slow
@given(st.randoms(use_true_random=False), st.integers(1, 30), st.integers(1, 7))
def test_neither_order_nor_chunks_of_the_events_matter(
    source: random.Random, rows: int, size: int
) -> None:
    features = [{"a": source.choice([0, 1, None])}, {"a": 1, "b": 2}, None]
    events = [
        event(source.randrange(4), source.choice(features), source.choice([0, 1, None]))
        for _ in range(25)
    ]
    first = of(events, rows, 5)
    again = of(source.sample(events, len(events)), rows, size)
    assert again.checksum == first.checksum
    np.testing.assert_array_equal(again.features, first.features)
    assert again.truth.tolist() == first.truth.tolist()
    assert sorted(first.times.tolist()) == first.times.tolist()


def test_checksum_differs_with_any_change() -> None:
    events = [event(1, {"a": 1}, 1), event(2, {"a": 2}, 0)]
    changes = [
        events[:1],
        [events[0], event(3, {"a": 2}, 0)],
        [events[0], event(2, {"a": 2}, None)],
        [events[0], event(2, {"a": 2.5}, 0)],
        [events[0], event(2, {"a": None}, 0)],
        [events[0], event(2, {"b": 2}, 0)],
        [events[0], event(2, None, 0, amount=2)],
    ]
    assert len({of(one).checksum for one in [events, *changes]}) == 8


def test_only_the_newest_events_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_builder, "CHUNK_LIMIT", 7)
    events = [
        event(number, {"a": number, **({"late": 1} if number < 3 else {})}) for number in range(100)
    ]
    random.Random(1).shuffle(events)  # noqa: S311  # made-up data
    found = of(events, rows=10, size=20)
    assert found.features[:, 0].tolist() == list(range(90, 100))
    assert found.names == ("a",)


def test_too_many_feature_names_are_refused() -> None:
    events = [event(number, {f"user-{number}": 1}) for number in range(1_001)]
    with pytest.raises(
        BadDataError, match="more than 1,000 different features, 'user-1000' among them"
    ):
        of(events, size=100)


def test_times_are_in_utc() -> None:
    zoned = event(0, {"a": 1})._replace(
        timestamp=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    )
    without_zone = datetime(2026, 1, 1, 1)  # noqa: DTZ001  # as from a column without a zone
    bare = event(0, {"a": 2})._replace(timestamp=without_zone)
    assert [str(time) for time in of([bare, zoned]).times] == [
        "2026-01-01T00:00:00.000000",
        "2026-01-01T01:00:00.000000",
    ]


MEMORY = """
import resource, sys
from datetime import UTC, datetime, timedelta
from retraining_job.events.event_columns import build_columns
from retraining_job.events.scored_event import ScoredEvent
start, rows = datetime(2026, 1, 1, tzinfo=UTC), int(sys.argv[1])
text = "{" + ",".join(f'"f{number}":1.5' for number in range(100)) + "}"
def chunks():
    for first in range(rows, 0, -100):
        times = [start + timedelta(seconds=first - i) for i in range(100)]
        yield [ScoredEvent(time, 1, 1, 0, 0, 1, text) for time in times]
build_columns(chunks(), rows)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_rows_are_not_stored_twice_in_memory() -> None:
    def peak(rows: int) -> int:
        return int(subprocess.check_output([sys.executable, "-c", MEMORY, str(rows)]))

    small, large = peak(1_000), peak(21_000)
    assert large - small < 1.35 * 20_000 * 100 * 8
