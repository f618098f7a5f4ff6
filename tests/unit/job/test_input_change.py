"""The guard on the shape of the input, as a table of changes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retraining_job.contract import Verdict, VerdictReason
from retraining_job.evaluation.guards import decide_on_input
from retraining_job.evaluation.input_change import ChampionInput, InputChange, compare_input
from retraining_job.evaluation.input_counts import measure_columns
from retraining_job.evaluation.input_shape import (
    InputMeasurement,
    InputShape,
)
from retraining_job.events.columns import Columns
from retraining_job.events.features import NEUTRAL_FEATURES
from retraining_job.registry.manifest import Manifest, read_manifest
from tests.quality.changes import break_features_json, keep_features
from tests.quality.trial import build_columns
from tests.unit.job.recommended_events import build_events

ROWS, NEWEST = 10_000, 1_000
NAMES = ("amount", "hour_of_day", "rare", "risk")


def events(**changes: Any) -> Columns:
    """Events that all have all features, except `rare`, which every second one has."""
    whole = build_events(ROWS)
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


def damaged(first: int, last: int, *places: int, value: float = np.nan) -> Columns:
    """The same events, with some features of some events replaced."""
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
    assert (found.stops, found.beyond, found.noticed, found.losses) == (False, "", "", [])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(
            damaged(7_000, ROWS, 1),
            "1 of the 4 features",
            id="one has vanished from the newest 30 %",
        ),
        pytest.param(
            damaged(ROWS - NEWEST, ROWS, 1),
            "hour_of_day (0.0% of the newest events, 100.0% before)",
            id="10",
        ),
        pytest.param(
            damaged(0, 3_000, 3),
            "risk (70.0% of all events, 100.0% before)",
            id="from the oldest ones",
        ),
        pytest.param(
            damaged(4_000, 6_500, 0, 1, 3), "3 of the 4 features", id="three from the middle"
        ),
        pytest.param(damaged(0, ROWS, 0, 1, 3), "3 of the 4 features", id="three wholly"),
        pytest.param(
            damaged(8_500, ROWS, 2),
            "rare (0.0% of the newest events, 50.0% before)",
            id="a sparse one",
        ),
        pytest.param(
            damaged(7_000, ROWS, 0, 1, 2, 3, value=0.0),
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
        pytest.param(damaged(8_100, ROWS - NEWEST, 1), id="a tenth of the events"),
        pytest.param(damaged(9_850, ROWS, 1), id="a seventh of the newest"),
        pytest.param(damaged(0, ROWS, 3, value=0.0), id="one feature of four is constant"),
    ],
)
def test_change_within_the_limit_does_not_stop(found: Columns) -> None:
    assert not change(found).stops


def test_change_within_the_limit_is_noticed_with_its_numbers() -> None:
    noticed = change(damaged(9_850, ROWS, 1)).noticed
    assert noticed == "Fewer events have hour_of_day (85.0% of the newest events, 100.0% before)."


def test_limit_is_configurable() -> None:
    found = damaged(9_850, ROWS, 1)
    assert change(found, limit=0.1).stops
    assert not change(damaged(0, ROWS, 0, 1, 3), limit=1.0).stops
    assert not change(damaged(7_000, ROWS, 0, 1, 2, 3, value=0.0), limit=1.0).stops


def test_new_feature_and_a_share_that_rises_are_no_reason_to_stop() -> None:
    then = measured(damaged(0, ROWS, 2)).shape
    names = {name: shape for name, shape in then.features.items() if name != "risk"}
    found = change(
        events(), then.model_copy(update={"features": names}), used={"amount", "hour_of_day"}
    )
    assert not found.stops
    assert found.new == ["risk"]
    assert found.noticed == "New features since the champion was trained: risk."


def test_feature_that_the_champion_does_not_use_may_vanish() -> None:
    assert not change(damaged(0, ROWS, 2), used={"amount", "hour_of_day", "risk"}).stops


def test_later_runs_compare_with_an_accepted_change_while_old_events_leave_the_window() -> None:
    accepted = measured(damaged(7_000, ROWS, 1)).shape
    for first in (5_000, 2_000, 0):
        assert not change(damaged(first, ROWS, 1), accepted).stops
    assert change(damaged(0, ROWS, 3), accepted).stops


def test_share_that_depends_on_the_time_of_the_day_is_no_change() -> None:
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
        pytest.param(damaged(3_000, ROWS, 0, 1, 3), True, id="a break within the events"),
        pytest.param(damaged(ROWS - NEWEST, ROWS, 1), True, id="a break right before the newest"),
        pytest.param(damaged(0, ROWS, 1), True, id="a feature that the champion uses is nowhere"),
        pytest.param(damaged(0, 7_000, 1), False, id="a feed that was repaired"),
    ],
)
def test_champion_without_a_recorded_shape(found: Columns, stops: bool) -> None:
    assert change(found, None).stops == stops


def test_old_service_s_champion_does_not_miss_features_that_were_never_stored() -> None:
    used = {"amount", "amount_vs_user_avg", *NEUTRAL_FEATURES}
    own = ("amount", "amount_vs_user_avg")
    none = np.zeros(2, np.int64)
    features = np.asfortranarray(build_events(ROWS).features[:, :2])
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
def test_first_model_needs_readable_events(lost: int, stops: bool) -> None:
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


def test_manifest_of_an_older_trainer_has_no_shape_and_stays_readable() -> None:
    old = (
        b'{"version": 3, "published_at": "2026-01-01T00:00:00Z", "pickle_sha256": "",'
        b' "pickle_bytes": 1}'
    )
    assert read_manifest(old).input is None
    kept = Manifest.model_validate_json(old).model_copy(update={"input": HEALTHY})
    assert read_manifest(kept.text().encode()).input == HEALTHY


def test_feature_names_are_cut_and_escaped_in_messages() -> None:
    long, odd = "n" * 500, "a\nb\x00"
    found = change(
        events(names=("amount", "hour_of_day", odd, "risk")), None, used={odd, "gone" * 100}
    )
    assert len(found.beyond) < 400
    assert "\n" not in found.beyond
    assert (
        long not in measured(events(names=("amount", "hour_of_day", long, "risk"))).shape.features
    )
