"""The split of the rows into training, gap and hold-out."""

import time
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.contract import Tunables, Verdict, VerdictReason
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.split import SplitRows, split_rows, to_datetime64

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Tunables(minimum_rows=100, forest_window=50, hold_out_size=200, hold_out_anomalies=3)
ANOMALY, NORMAL, UNKNOWN = 1, 0, -1


def times(rows: int) -> np.ndarray:
    return np.datetime64("2026-01-01", "us") + np.arange(rows) * np.timedelta64(1, "s")


def moment(row: int) -> datetime:
    return START + timedelta(seconds=row)


def truth(rows: int, *anomalies: int) -> np.ndarray:
    labels = np.zeros(rows, np.int8)
    labels[list(anomalies)] = ANOMALY
    return labels


def parted(
    labels: np.ndarray, settings: Tunables = SETTINGS, champion_until: datetime | None = None
) -> SplitRows:
    parts = split_rows(
        times(len(labels)),
        labels,
        settings,
        window=settings.forest_window,
        champion_until=champion_until,
    )
    assert isinstance(parts, SplitRows)
    return parts


@pytest.mark.parametrize(
    ("anomalies", "start"),
    [
        pytest.param([2_000, 2_850, 2_900, 2_950], 2_800, id="the newest 200 have enough"),
        pytest.param([2_000, 2_500, 2_900, 2_950], 2_500, id="it grows back to the third newest"),
        pytest.param([100, 2_900, 2_950], 2_400, id="and no further than a fifth"),
        pytest.param([100], 2_800, id="not at all where that finds none"),
    ],
)
def test_hold_out_is_the_newest_rows_and_grows_until_it_has_enough_anomalies(
    anomalies: list[int], start: int
) -> None:
    parts = parted(truth(3_000, *anomalies))
    assert (parts.hold_out, parts.training) == (slice(start, 3_000), slice(0, start - 50))


def test_rows_without_a_label_are_trained_on_and_not_evaluated() -> None:
    labels = truth(3_000, 2_850, 2_900, 2_950)
    labels[2_840:2_860] = UNKNOWN  # one of the three is not known any more
    labels[100:200] = UNKNOWN
    record = parted(labels).build_split(times(3_000), labels)
    assert (record.anomalies, record.normal, record.unlabelled) == (2, 578, 20)
    assert (record.hold_out.rows, record.gap_rows, record.champion_saw) == (600, 50, 0)
    assert record.training.rows == 3_000 - 600 - 50
    assert (record.training.first, record.training.last) == (moment(0), moment(2_349))
    assert (record.hold_out.first, record.hold_out.last) == (moment(2_400), moment(2_999))


@pytest.mark.parametrize(
    ("until", "start", "saw"),
    [
        pytest.param(2_749, 2_800, 0, id="it was trained up to the gap: nothing changes"),
        pytest.param(2_799, 2_800, 0, id="up to the row before the hold-out"),
        pytest.param(2_840, 2_841, 0, id="into the hold-out: its old end is cut"),
        pytest.param(2_849, 2_850, 0, id="up to the row before the third newest anomaly"),
        pytest.param(2_850, 2_800, 51, id="one more, and what is left is too little"),
        pytest.param(2_999, 2_800, 200, id="it has learned all"),
    ],
)
def test_hold_out_excludes_rows_that_the_champion_was_trained_on(
    until: int, start: int, saw: int
) -> None:
    parts = parted(truth(3_000, 2_850, 2_900, 2_950), champion_until=moment(until))
    assert (parts.hold_out_start, parts.champion_saw) == (start, saw)
    assert parts.training_rows == start - 50


def test_record_counts_the_rows_that_the_champion_was_trained_on() -> None:
    labels = truth(3_000, 2_850, 2_900, 2_950)
    record = parted(labels, champion_until=moment(2_850)).build_split(times(3_000), labels)
    assert record.champion_saw == 51


def test_hold_out_does_not_shrink_to_rows_without_a_normal_event() -> None:
    labels = truth(3_000, 2_997, 2_998, 2_999)
    labels[2_950:2_997] = UNKNOWN
    parts = parted(labels, champion_until=moment(2_960))
    assert (parts.hold_out_start, parts.champion_saw) == (2_800, 161)


def test_time_of_the_champion_may_have_any_zone_and_microseconds() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    until = (moment(2_840) + timedelta(microseconds=999_999)).astimezone(east)
    parts = parted(truth(3_000, 2_850, 2_900, 2_950), champion_until=until)
    assert parts.hold_out_start == 2_841
    assert to_datetime64(until) == np.datetime64("2026-01-01T00:47:20.999999", "us")


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process is set by tzset")
def test_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert to_datetime64(START) == np.datetime64("2026-01-01", "us")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_minimum_of_rows_is_enough() -> None:
    assert isinstance(
        split_rows(times(100), truth(100, 99), SETTINGS, window=SETTINGS.forest_window), SplitRows
    )


def test_hold_out_does_not_shrink_if_the_rest_has_too_few_labels() -> None:
    parts = parted(np.full(3_000, UNKNOWN, np.int8), champion_until=moment(2_950))
    assert (parts.hold_out_start, parts.champion_saw) == (2_800, 151)


@pytest.mark.parametrize(
    ("rows", "window", "numbers"),
    [
        pytest.param(
            99,
            50,
            ["99 events", "at least 100", "trainer.minimumRows"],
            id="fewer than the minimum",
        ),
        pytest.param(
            120,
            97,
            ["24 of 120 events", "The other 96", "window of 97", "trainer.forestWindow"],
            id="no whole window",
        ),
    ],
)
def test_message_about_too_few_events_has_the_numbers(
    rows: int, window: int, numbers: list[str]
) -> None:
    decision = split_rows(times(rows), truth(rows), SETTINGS, window=window)
    assert isinstance(decision, Decision)
    assert (decision.verdict, decision.reason) == (
        Verdict.INSUFFICIENT_DATA,
        VerdictReason.INSUFFICIENT_DATA,
    )
    assert not decision.promotes
    for number in numbers:
        assert number in decision.message


@pytest.mark.parametrize(("window", "training"), [(40, 56), (48, 48), (90, 90), (96, 96)])
def test_gap_shrinks_for_the_one_window_that_a_forest_needs(window: int, training: int) -> None:
    parts = parted(truth(120), SETTINGS.model_copy(update={"forest_window": window}))
    assert (parts.training_rows, parts.hold_out_start) == (training, 96)


@given(
    labels=st.lists(st.sampled_from([ANOMALY, NORMAL, NORMAL, UNKNOWN]), min_size=1, max_size=400),
    window=st.integers(1, 40),
    size=st.integers(1, 500),
    anomalies=st.integers(1, 50),
    share=st.floats(0.01, 0.5),
    until=st.none() | st.integers(-5, 405),
)
def test_no_row_is_in_training_and_hold_out(  # noqa: PLR0917
    labels: list[int], window: int, size: int, anomalies: int, share: float, until: int | None
) -> None:
    settings = Tunables(
        minimum_rows=1,
        hold_out_size=size,
        hold_out_anomalies=anomalies,
        hold_out_share=share,
    )
    rows = len(labels)
    parts = split_rows(
        times(rows),
        np.array(labels, np.int8),
        settings,
        window=window,
        champion_until=None if until is None else moment(until),
    )
    if isinstance(parts, Decision):
        return
    assert parts.hold_out.stop == rows
    assert window <= parts.training_rows <= parts.hold_out_start
    assert parts.hold_out_start - parts.training_rows == min(window, parts.hold_out_start - window)
    assert 1 <= rows - parts.hold_out_start <= max(1, share * rows)
    learned = 0 if until is None else sum(row <= until for row in range(parts.hold_out_start, rows))
    assert parts.champion_saw == learned
