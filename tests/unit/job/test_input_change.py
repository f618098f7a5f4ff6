"""The guard on the shape of the input, as a table of changes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retraining_job.contract import Verdict, VerdictReason
from retraining_job.evaluation.guards import decide_on_input
from retraining_job.evaluation.input_change import ChampionInput, InputChange, compare_input
from retraining_job.evaluation.input_counts import measure_columns, measure_tallies, merge_tallies
from retraining_job.evaluation.input_shape import (
    InputMeasurement,
    InputShape,
    find_lasting_fall,
    split_into_periods,
)
from retraining_job.evaluation.reading_notes import describe_reading
from retraining_job.events.columns import Columns
from retraining_job.events.features import NEUTRAL_FEATURES
from retraining_job.events.reading import FeatureFacts, ReadingFacts
from retraining_job.events.scored_event import ScoredEvent
from retraining_job.presets.reference_pipeline import count_samples
from retraining_job.registry.manifest import Manifest, read_manifest
from tests.quality.changes import break_features_json, keep_features
from tests.quality.trial import build_columns
from tests.unit.job.test_recommended import columns

ROWS, NEWEST = 10_000, 1_000
NAMES = ("amount", "hour_of_day", "rare", "risk")


def events(**changes: Any) -> Columns:
    """Events in which `rare` stands in every second one; the others in all."""
    whole = columns(ROWS)
    features = np.asfortranarray(whole.features[:, :4])
    features[::2, 2] = np.nan
    none = np.zeros(4, np.int64)
    fields: dict[str, Any] = {
        "names": NAMES,
        "features": features,
        "missing": none,
        "unusable": none,
        "texts": none,
    }
    return replace(whole, **fields | changes)


def spoilt(first: int, last: int, *places: int, value: float = np.nan) -> Columns:
    """The same, with some features of some events replaced."""
    features = events().features.copy(order="F")
    features[first:last, places] = value
    return events(features=features)


def measured(found: Columns) -> InputMeasurement:
    return measure_columns(found, ROWS - NEWEST)


HEALTHY = measured(events()).shape


def change(found: Columns, then: InputShape | None = HEALTHY, **more: Any) -> InputChange:
    fields: dict[str, Any] = {"limit": 0.2, "accepted": False} | more
    used = fields.pop("used", set(NAMES))
    return compare_input(measured(found), ChampionInput(7, used, then), **fields)


def test_same_events_have_not_changed() -> None:
    found = change(events())
    assert (found.stops, found.beyond, found.noticed, found.falls) == (False, "", "", [])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(
            spoilt(7_000, ROWS, 1),
            "1 of the 4 features",
            id="one has vanished from the newest 30 %",
        ),
        pytest.param(
            spoilt(ROWS - NEWEST, ROWS, 1),
            "hour_of_day (0.0% of the newest events, 100.0% before)",
            id="10",
        ),
        pytest.param(
            spoilt(0, 3_000, 3),
            "risk (70.0% of all events, 100.0% before)",
            id="from the oldest ones",
        ),
        pytest.param(
            spoilt(4_000, 6_500, 0, 1, 3), "3 of the 4 features", id="three from the middle"
        ),
        pytest.param(spoilt(0, ROWS, 0, 1, 3), "3 of the 4 features", id="three wholly"),
        pytest.param(
            spoilt(8_500, ROWS, 2),
            "rare (0.0% of the newest events, 50.0% before)",
            id="a sparse one",
        ),
        pytest.param(
            spoilt(7_000, ROWS, 0, 1, 2, 3, value=0.0),
            "3 of 3 features have a single value",
            id="zeros",
        ),
    ],
)
def test_change_beyond_the_limit_keeps_the_champion(found: Columns, said: str) -> None:
    stopped = change(found)
    assert stopped.stops
    assert said in stopped.beyond
    decision = decide_on_input(stopped)
    assert decision is not None
    assert (decision.verdict, decision.reason, decision.promotes) == (
        Verdict.KEPT,
        VerdictReason.INPUT_CHANGED,
        False,
    )
    assert "acceptInputChange: true" in decision.message
    assert "version 7" in decision.message
    assert len(decision.message) < 900
    accepted = change(found, accepted=True)
    assert accepted.beyond == stopped.beyond
    assert decide_on_input(accepted) is None


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(spoilt(8_100, ROWS - NEWEST, 1), id="a tenth of the events"),
        pytest.param(spoilt(9_850, ROWS, 1), id="a seventh of the newest"),
        pytest.param(spoilt(0, ROWS, 3, value=0.0), id="one feature of four is constant"),
    ],
)
def test_change_within_the_limit_does_not_stop(found: Columns) -> None:
    assert not change(found).stops


def test_change_within_the_limit_is_noticed_with_its_numbers() -> None:
    noticed = change(spoilt(9_850, ROWS, 1)).noticed
    assert noticed == "Fewer events have hour_of_day (85.0% of the newest events, 100.0% before)."


def test_limit_is_settable() -> None:
    found = spoilt(9_850, ROWS, 1)
    assert change(found, limit=0.1).stops
    assert not change(spoilt(0, ROWS, 0, 1, 3), limit=1.0).stops
    assert not change(spoilt(7_000, ROWS, 0, 1, 2, 3, value=0.0), limit=1.0).stops


def test_new_feature_and_a_share_that_rises_are_no_reason_to_stop() -> None:
    then = measured(spoilt(0, ROWS, 2)).shape
    names = {name: shape for name, shape in then.features.items() if name != "risk"}
    found = change(
        events(), then.model_copy(update={"features": names}), used={"amount", "hour_of_day"}
    )
    assert not found.stops
    assert found.new == ["risk"]
    assert found.noticed == "New features since the champion was trained: risk."


def test_feature_that_the_champion_does_not_use_may_vanish() -> None:
    assert not change(spoilt(0, ROWS, 2), used={"amount", "hour_of_day", "risk"}).stops


def test_accepted_change_is_the_new_standard_while_old_events_leave_the_window() -> None:
    accepted = measured(spoilt(7_000, ROWS, 1)).shape
    for first in (5_000, 2_000, 0):
        assert not change(spoilt(first, ROWS, 1), accepted).stops
    assert change(spoilt(0, ROWS, 3), accepted).stops


def test_share_that_comes_and_goes_with_the_time_of_the_day_is_no_change() -> None:
    features = events().features.copy(order="F")
    night = np.arange(ROWS) // 1_000 % 2 == 1
    features[night, 1] = np.nan
    daily = events(features=features)
    later = features.copy(order="F")
    later[:, 1] = np.roll(features[:, 1], 1_000)
    by_night, by_day = measured(daily).shape, measured(events(features=later)).shape
    assert (by_night.features["hour_of_day"].newest, by_day.features["hour_of_day"].newest) == (
        0.0,
        1.0,
    )
    assert not change(daily, by_day).stops
    assert not change(events(features=later), by_night).stops


@pytest.mark.parametrize(
    ("found", "stops"),
    [
        pytest.param(events(), False, id="a sparse feature is nothing new"),
        pytest.param(spoilt(3_000, ROWS, 0, 1, 3), True, id="a break within the events"),
        pytest.param(spoilt(ROWS - NEWEST, ROWS, 1), True, id="a break right before the newest"),
        pytest.param(spoilt(0, ROWS, 1), True, id="a feature that the champion uses is nowhere"),
        pytest.param(spoilt(0, 7_000, 1), False, id="a feed that was repaired"),
    ],
)
def test_champion_without_a_recorded_shape(found: Columns, stops: bool) -> None:
    assert change(found, None).stops == stops


def test_old_service_s_champion_does_not_miss_features_that_were_never_stored() -> None:
    used = {"amount", "amount_vs_user_avg", *NEUTRAL_FEATURES}
    own = ("amount", "amount_vs_user_avg")
    none = np.zeros(2, np.int64)
    features = np.asfortranarray(columns(ROWS).features[:, :2])
    fields = {"names": own, "features": features, "missing": none, "unusable": none, "texts": none}
    never = replace(events(**fields), neutral=ROWS)
    assert not change(never, None, used=used).stops
    assert change(replace(never, unreadable=ROWS), None, used=used).stops


def test_champion_that_uses_none_of_the_features_cannot_be_compared() -> None:
    found = change(events(), None, used={"voltage"})
    assert (found.stops, found.comparable) == (True, False)


@pytest.mark.parametrize(
    ("lost", "stops"), [(0, False), (5_000, False), (5_001, True), (ROWS, True)]
)
def test_first_model_asks_for_readable_events(lost: int, stops: bool) -> None:
    found = compare_input(measured(events(unreadable=lost)), None, limit=0.2, accepted=False)
    decision = decide_on_input(found)
    assert (decision is not None) == stops
    if decision:
        assert (decision.verdict, decision.reason) == (
            Verdict.UNFIT,
            VerdictReason.INPUT_UNREADABLE,
        )
        assert f"{lost / ROWS:.1%} of the 10,000 events" in decision.message
    assert (
        decide_on_input(
            compare_input(measured(events(unreadable=lost)), None, limit=0.2, accepted=True)
        )
        is None
    )


def test_unreadable_stream_is_stopped_on_every_seed() -> None:
    for seed in range(1, 13):
        whole = build_columns(seed, 50_000, keep_features)
        then = measure_columns(whole, 45_000).shape
        known = ChampionInput(1, set(whole.names), then)
        found = compare_input(
            measure_columns(break_features_json(whole), 45_000), known, limit=0.2, accepted=False
        )
        assert found.stops
        assert "9 of the 11 features" in found.beyond


def event(number: int, text: str | None) -> ScoredEvent:
    return ScoredEvent(np.datetime64(number, "us").item(), 1.0, 0.0, False, 0, 1.0, text)


def tallied(texts: list[str | None], newest: int = 100) -> InputMeasurement:
    """The shape as the `reference` preset counts it; the newest event comes first."""
    samples, tallies = count_samples(
        [event(number, text) for number, text in enumerate(texts)], newest
    )
    assert len(samples) == len(texts)
    return measure_tallies(
        tallies,
        [sample.features for sample in samples[:newest]],
        merge_tallies(tallies).build_facts(0),
    )


def test_reference_preset_counts_the_same() -> None:
    texts: list[str | None] = [
        f'{{"amount": {number}, "hour": "{number % 24}", "word": "x"}}' for number in range(600)
    ]
    shape = tallied(texts).shape
    assert {name: one.usable for name, one in shape.features.items()} == {
        "amount": 1.0,
        "hour": 1.0,
        "word": 0.0,
    }
    assert (shape.events, shape.newest, shape.own, shape.labelled) == (600, 100, 1.0, 1.0)
    assert shape.texts == 0.5
    assert shape.features["amount"].varies
    broken = tallied([*(["[1]"] * 200), *texts[200:]])
    assert broken.shape.unreadable == pytest.approx(0.3333)
    assert broken.shape.features["hour"].newest == 0.0
    step = broken.lasting_falls["hour"]
    assert step.before == 1.0
    assert step.after == pytest.approx(0.5455, abs=0.5)
    assert step.events == pytest.approx(200, abs=60)
    found = compare_input(
        broken, ChampionInput(1, {"amount", "hour"}, shape), limit=0.2, accepted=False
    )
    assert found.stops


def test_first_model_of_the_reference_preset_is_not_made_of_nothing() -> None:
    words = tallied(['{"amount": "much", "hour": "late"}'] * 600)
    found = compare_input(words, None, limit=0.2, accepted=False)
    assert "No feature is a usable number in any of the 600 events" in found.beyond
    assert not compare_input(tallied([None] * 600), None, limit=0.2, accepted=False).stops


@pytest.mark.parametrize(
    ("rows", "newest_start"), [(1, 0), (5, 3), (100, 80), (50_000, 45_000), (200, 0)]
)
def test_stretches_cover_all_events_once(rows: int, newest_start: int) -> None:
    parts = split_into_periods(rows, newest_start)
    assert [number for part in parts for number in range(rows)[part]] == list(range(rows))
    assert parts[-1] == slice(newest_start, rows)
    assert all(part.stop > part.start for part in parts)


def test_lasting_fall_is_a_step_and_no_dip() -> None:
    assert find_lasting_fall([10, 10, 2, 10], [10] * 4) is None
    found = find_lasting_fall([10, 9, 2, 3], [10] * 4)
    assert found is not None
    assert (found.before, found.after, found.events) == (0.9, 0.3, 20)


def test_manifest_of_an_older_trainer_has_no_shape_and_stays_readable() -> None:
    old = b'{"version": 3, "published_at": "2026-01-01T00:00:00Z", "pickle_sha256": "", "pickle_bytes": 1}'
    assert read_manifest(old).input is None
    kept = Manifest.model_validate_json(old).model_copy(update={"input": HEALTHY})
    assert read_manifest(kept.text().encode()).input == HEALTHY


def test_names_from_the_events_do_no_harm_in_a_sentence() -> None:
    long, odd = "n" * 500, "a\nb\x00"
    found = change(
        events(names=("amount", "hour_of_day", odd, "risk")), None, used={odd, "gone" * 100}
    )
    assert len(found.beyond) < 400
    assert "\n" not in found.beyond
    assert (
        long not in measured(events(names=("amount", "hour_of_day", long, "risk"))).shape.features
    )


def test_problems_of_reading_are_described_with_numbers() -> None:
    quiet = ReadingFacts(
        rows=1_000,
        labelled=0,
        left_out=0,
        neutral=0,
        unreadable=0,
        decoded=0,
        features=(FeatureFacts("a", 1, 1, 0),),
    )
    assert describe_reading(quiet) == []
    loud = replace(
        quiet,
        left_out=3,
        unreadable=20,
        decoded=500,
        features=tuple(FeatureFacts(n, 9, 0, 9) for n in "abcde"),
    )
    assert describe_reading(loud) == [
        "3 rows were left out because their time cannot be used.",
        "20 of 1,000 events (2.0%) have a features_json that does not hold a JSON object. "
        "They were read without it.",
        "500 of 1,000 events (50.0%) have a features_json that is a JSON string. "
        "The object in the string was read.",
        "Numbers written as text were read as numbers: "
        "a in 9 events, b in 9 events, c in 9 events and 2 more.",
    ]
