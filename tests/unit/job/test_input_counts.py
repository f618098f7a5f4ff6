"""The shape of the input as the reference preset counts it, periods, and notes about reading."""

from dataclasses import replace

import numpy as np
import pytest

from retraining_job.evaluation.input_change import ChampionInput, compare_input
from retraining_job.evaluation.input_counts import measure_tallies, merge_tallies
from retraining_job.evaluation.input_shape import (
    InputMeasurement,
    find_lasting_loss,
    split_into_periods,
)
from retraining_job.evaluation.reading_notes import describe_reading
from retraining_job.events.reading import FeatureFacts, ReadingFacts
from retraining_job.events.scored_event import ScoredEvent
from retraining_job.presets.reference_pipeline import count_samples


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
    step = broken.lasting_losses["hour"]
    assert step.before == 1.0
    assert step.after == pytest.approx(0.5455, abs=0.5)
    assert step.events == pytest.approx(200, abs=60)
    found = compare_input(
        broken, ChampionInput(1, {"amount", "hour"}, shape), limit=0.2, accepted=False
    )
    assert found.stops


def test_first_model_of_the_reference_preset_needs_a_usable_feature() -> None:
    words = tallied(['{"amount": "much", "hour": "late"}'] * 600)
    found = compare_input(words, None, limit=0.2, accepted=False)
    assert "No feature is a usable number in any of the 600 events" in found.beyond
    assert not compare_input(tallied([None] * 600), None, limit=0.2, accepted=False).stops


@pytest.mark.parametrize(
    ("rows", "newest_start"), [(1, 0), (5, 3), (100, 80), (50_000, 45_000), (200, 0)]
)
def test_periods_cover_all_events_once(rows: int, newest_start: int) -> None:
    parts = split_into_periods(rows, newest_start)
    assert [number for part in parts for number in range(rows)[part]] == list(range(rows))
    assert parts[-1] == slice(newest_start, rows)
    assert all(part.stop > part.start for part in parts)


def test_lasting_loss_is_not_a_temporary_one() -> None:
    assert find_lasting_loss([10, 10, 2, 10], [10] * 4) is None
    found = find_lasting_loss([10, 9, 2, 3], [10] * 4)
    assert found is not None
    assert (found.before, found.after, found.events) == (0.9, 0.3, 20)


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
