"""The options of a replay are read, or refused with a sentence that says what to select."""

import argparse

import pytest

from retraining_operator.intake.replay_options import (
    ReplayError,
    add_selection_options,
    read_selection,
)
from retraining_operator.kafka.record_selection import (
    RecordSelection,
    TopicReadError,
    check_offsets,
)

NOON_MS = 1_772_366_400_000
"""2026-03-01T12:00:00Z."""


def read(text: str) -> RecordSelection:
    parser = argparse.ArgumentParser()
    add_selection_options(parser)
    return read_selection(parser.parse_args(text.split()))


def test_offsets_are_read() -> None:
    assert read("--partition 1 --from-offset 3 --to-offset 5") == RecordSelection(1, 3, 5)


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T13:00:00+01:00",
        "2026-03-01T12:00",
        "2026-03-01T12:00:00.000",
    ],
)
def test_times_are_read_and_are_utc_if_they_have_no_zone(time: str) -> None:
    assert read(f"--from-time {time}") == RecordSelection(from_ms=NOON_MS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--from-offset and --to-offset"),
        ("--from-offset 5 --to-offset 3 --partition 0", "offset 5 to 3 is empty"),
        ("--from-offset -1 --to-offset 3 --partition 0", "offset -1 to 3 is empty"),
        ("--from-offset 3 --partition 0", "all of"),
        ("--from-offset 3 --to-offset 5", "--partition"),
        ("--from-offset 3 --to-offset 5 --partition 0 --from-time 2026-03-01", "not by both"),
        ("--from-time 2026-03-02 --to-time 2026-03-01", "later than"),
        ("--from-time yesterday", "--from-time yesterday is not a time"),
        ("--to-time 2026-03-01", "--from-time"),
    ],
)
def test_invalid_options_are_refused(text: str, words: str) -> None:
    with pytest.raises(ReplayError, match=words):
        read(text)


@pytest.mark.parametrize(
    ("first", "last", "begin", "end", "words"),
    [
        (0, 10, 0, 10, "offsets 0 to 9, not 0 to 10"),
        (4, 9, 5, 10, "offsets 5 to 9, not 4 to 9"),
        (0, 0, 7, 7, "is empty"),
    ],
)
def test_offsets_that_kafka_does_not_have_are_refused(
    first: int, last: int, begin: int, end: int, words: str
) -> None:
    with pytest.raises(TopicReadError, match=words):
        check_offsets(RecordSelection(0, first, last), "drift", begin, end)
    check_offsets(RecordSelection(0, 5, 9), "drift", 5, 10)


def test_bounds_are_inclusive() -> None:
    assert [offset for offset in range(6) if RecordSelection(0, 2, 4).includes(offset, 0)] == [
        2,
        3,
        4,
    ]
    assert [ms for ms in range(6) if RecordSelection(from_ms=2, to_ms=4).includes(0, ms)] == [
        2,
        3,
        4,
    ]
