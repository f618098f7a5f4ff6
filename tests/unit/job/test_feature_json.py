"""How features are read from JSON, and what is counted at the same time."""

import json

import numpy as np
import pytest

from retraining_job.events import column_builder
from tests.unit.job.scored_events import event, of


def layered(content: object, layers: int) -> str:
    text = json.dumps(content)
    for _ in range(layers):
        text = json.dumps(text)
    return text


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_object_in_a_json_string_is_read_and_counted(layers: int) -> None:
    found = of(
        [
            event(1, {"a": 1}),
            event(2, layered({"a": 2}, layers)),
            event(3, layered({"a": 3}, layers)),
        ]
    )
    assert found.features.tolist() == [[1], [2], [3]]
    assert (found.decoded, found.unreadable, found.neutral) == (2, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "1",
        "{not json",
        '"text"',
        '"[1]"',
        '"{\\"a\\""',
        "true",
        '{"a\\u0000": 1}',
        '{"\\ud800": 1}',
    ],
)
def test_what_is_there_and_is_no_object_is_counted(text: str | None) -> None:
    found = of([event(1, text), event(2, {"a": 1}), event(3, None)])
    assert (found.unreadable, found.neutral, found.decoded) == (1, 2, 0)
    assert found.facts.unreadable == 1


@pytest.mark.parametrize("text", [None, "", "null", "{}", '""', '" "', '"null"', '"{}"'])
def test_what_is_empty_is_not_unreadable(text: str | None) -> None:
    found = of([event(1, text), event(2, {"a": 1})])
    assert (found.unreadable, found.neutral) == (0, 1)


def test_numbers_as_text_are_read_and_counted() -> None:
    found = of(
        [
            event(1, {"a": "20.2897", "b": 1}),
            event(2, {"a": " 1e3\n", "b": 2}),
            event(3, {"a": "x", "b": 3}),
            event(4, {"a": "nan", "b": "4"}),
            event(5, {"a": 5}),
        ],
        size=2,
    )
    np.testing.assert_array_equal(
        found.features, [[20.2897, 1], [1000, 2], [np.nan, 3], [np.nan, 4], [5, np.nan]]
    )
    assert (found.texts.tolist(), found.unusable.tolist()) == ([2, 1], [2, 0])
    assert [(one.name, one.present, one.unusable, one.texts) for one in found.facts.features] == [
        ("a", 5, 2, 2),
        ("b", 4, 0, 1),
    ]


def test_counts_are_of_the_rows_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_builder, "CHUNK_LIMIT", 7)
    old = [
        event(number, {"a": "1"}) if number % 2 else event(number, "[1]") for number in range(100)
    ]
    found = of(
        [*old, *(event(200 + number, {"a": number}) for number in range(5))], rows=10, size=20
    )
    assert (found.texts.tolist(), found.unreadable) == ([3], 2)


def test_texts_that_are_json_only_together_are_not_read_together() -> None:
    texts = ['{"a":[{}', '{}]},{"a":2}', '{"a":1']
    found = of(
        [event(number, text) for number, text in enumerate(texts)] + [event(9, {"a": 1})], size=4
    )
    assert (found.unreadable, found.features[:, 0].tolist()[-1]) == (3, 1)


def test_whole_number_beyond_python_s_limit_affects_no_other_event() -> None:
    found = of([event(1, '{"a": 1, "b": ' + "9" * 5_000 + "}"), event(2, {"a": 2, "b": 3})])
    np.testing.assert_array_equal(found.features, [[1, np.nan], [2, 3]])
    assert (found.unusable.tolist(), found.unreadable) == ([0, 1], 0)
