"""Records that the handled offsets include are skipped, and no others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_operator.api.trigger import KafkaPosition
from retraining_operator.intake.handled_offset import HandledOffset, format_entry, parse_entry

ENTRY = HandledOffset("topic-a", offset=10, latest_ms=1000, open=frozenset({4}))

entries = st.builds(
    HandledOffset,
    st.sampled_from(["a", "b"]),
    st.integers(-1, 12),
    st.integers(0, 5),
    st.frozensets(st.integers(0, 12), max_size=4),
)


def origin(offset: int, timestamp_ms: int) -> KafkaPosition:
    return KafkaPosition("drift", 0, offset, timestamp_ms)


@pytest.mark.parametrize(
    ("topic_id", "offset", "timestamp_ms", "covered"),
    [
        pytest.param("topic-a", 10, 1000, True, id="the highest offset handled"),
        pytest.param("topic-a", 3, 500, True, id="one below it"),
        pytest.param("topic-a", 11, 900, False, id="one above it"),
        pytest.param("topic-a", 4, 500, False, id="one that was left open"),
        pytest.param(
            "topic-a",
            3,
            1001,
            False,
            id="a later record at a lower offset: of a topic created again",
        ),
        pytest.param("topic-b", 3, 500, False, id="another topic of the same name"),
        pytest.param("", 3, 500, False, id="a topic without id, where it had one"),
    ],
)
def test_only_what_was_handled_is_covered(
    topic_id: str, offset: int, timestamp_ms: int, covered: bool
) -> None:
    assert ENTRY.covers(topic_id, origin(offset, timestamp_ms)) is covered


@given(entries, entries)
def test_merged_entries_contain_the_offsets_of_both_writers(
    mine: HandledOffset, theirs: HandledOffset
) -> None:
    theirs = replace(theirs, topic_id=mine.topic_id)
    merged = mine.merge(theirs)
    for offset in range(13):
        assert merged.includes(offset) == (mine.includes(offset) or theirs.includes(offset))
    assert merged.merge(mine) == merged.merge(theirs) == merged


@given(entries)
def test_topic_created_again_has_no_handled_offsets(mine: HandledOffset) -> None:
    assert mine.merge(replace(mine, topic_id="other", offset=99)) == mine
    assert mine.merge(None) == mine


@given(entries, st.text(max_size=20), st.integers(0, 99))
def test_entry_reads_as_it_was_written(entry: HandledOffset, topic: str, partition: int) -> None:
    assert parse_entry(format_entry(topic, partition, entry)) == (topic, partition, entry)


@pytest.mark.parametrize("line", ["", "[]", "3", '{"topic": "drift"}', "null"])
def test_invalid_line_contains_no_record(line: str) -> None:
    assert parse_entry(line) is None
