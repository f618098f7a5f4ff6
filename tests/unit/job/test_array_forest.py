"""Array forest: equal to river's to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retraining_job.events.features import Features
from retraining_job.model import array_forest
from retraining_job.model.array_forest import ArrayForest, build_matrix
from retraining_job.model.tree_growth import ForestParameters
from tests.unit.job.forests import (
    EVENTS,
    NAMES,
    PARAMETERS_STRATEGY,
    WITH_GAPS,
    equals_river,
    train_arrays,
    train_river,
)

PARAMETERS: ForestParameters = {"n_trees": 3, "height": 4, "window_size": 10, "seed": 42}


def generate_events(count: int, gaps: float = 0.0) -> list[Features]:
    generator = np.random.default_rng(7)
    return [
        {name: float(generator.random()) for name in NAMES if not i or generator.random() >= gaps}
        for i in range(count)
    ]


@pytest.mark.slow
@settings(deadline=None)
@given(
    events=EVENTS,
    parameters=PARAMETERS_STRATEGY,
    more=st.lists(WITH_GAPS, max_size=30),
    cut=st.integers(0, 30),
)
def test_forest_is_rivers_own(
    events: list[Features], parameters: ForestParameters, more: list[Features], cut: int
) -> None:
    ours, rivers = train_arrays(events, **parameters), train_river(events, **parameters)
    assert equals_river(ours, rivers)
    for part in (
        more[:cut],
        more[cut:],
    ):  # events learned later count like those learned at once
        ours.learn_many(build_matrix(part, NAMES))
        for features in part:
            rivers.learn_one(features)
    assert equals_river(ours, rivers)
    probes = [*events, *more]
    assert ours.score_many(build_matrix(probes, NAMES)).tolist() == [
        rivers.score_one(features) for features in probes
    ]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 19, 20, 21, 30, 45])
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_every_place_in_a_window_is_rivers(count: int, gaps: float) -> None:
    events = generate_events(count, gaps)
    assert equals_river(train_arrays(events, **PARAMETERS), train_river(events, **PARAMETERS))


def test_events_lacking_features_follow_those_before_them_in_the_window() -> None:
    """They cannot be vectorized: their branch depends on the order of events within the window."""
    parameters = PARAMETERS | {"window_size": 40}
    events = generate_events(40, 0.7)
    other_order = [events[0], *reversed(events[1:])]
    ours, rivers = train_arrays(events, **parameters), train_river(events, **parameters)
    assert equals_river(ours, rivers)
    assert not equals_river(train_arrays(other_order, **parameters), rivers)


def test_large_windows_and_many_rows_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 1_000
    monkeypatch.setattr(array_forest, "PAIRS_AT_ONCE", rows * PARAMETERS["n_trees"])
    events = generate_events(2 * rows + 300)
    parameters = PARAMETERS | {"window_size": rows + 100}
    ours, rivers = train_arrays(events, **parameters), train_river(events, **parameters)
    assert equals_river(ours, rivers)
    assert ours.score_many(build_matrix(events, NAMES)).tolist() == [
        rivers.score_one(features) for features in events
    ]


@given(
    features=st.dictionaries(
        st.sampled_from([*NAMES, "unknown"]),
        st.floats() | st.integers(-3, 3) | st.booleans(),
        max_size=5,
    )
)
@example(features=dict.fromkeys(NAMES, math.nan))
@example(features={})
def test_any_event_scores_as_in_river(features: Features) -> None:
    events = generate_events(25)
    ours, rivers = train_arrays(events, **PARAMETERS), train_river(events, **PARAMETERS)
    assert ours.score_one(features) == rivers.score_one(features)


def test_value_at_a_threshold_goes_where_it_goes_in_river() -> None:
    grown = ArrayForest.grow(NAMES, **PARAMETERS)
    pairs = zip(
        grown.features.reshape(-1).tolist(), grown.thresholds.reshape(-1).tolist(), strict=True
    )
    events = [
        dict.fromkeys(NAMES, 0.5) | {NAMES[feature]: threshold} for feature, threshold in pairs
    ]
    ours, rivers = train_arrays(events, **PARAMETERS), train_river(events, **PARAMETERS)
    assert equals_river(ours, rivers)
    assert ours.score_many(build_matrix(events, NAMES)).tolist() == [
        rivers.score_one(features) for features in events
    ]


def test_first_window_scores_nothing() -> None:
    events = generate_events(9)
    assert (
        train_arrays(events, **PARAMETERS).score_many(build_matrix(events, NAMES)).tolist()
        == [0.0] * 9
    )


def test_empty_matrix_changes_nothing() -> None:
    forest = train_arrays(generate_events(25), **PARAMETERS)
    before = forest.l_mass.copy()
    forest.learn_many(np.empty((0, len(NAMES))))
    assert len(forest.score_many(np.empty((0, len(NAMES))))) == 0
    assert np.array_equal(forest.l_mass, before)
    assert forest.counter == 5


def test_scaling_is_written_into_the_thresholds() -> None:
    """A forest on raw features then scores as one on scaled features."""
    factors = {
        "amount": 1024.0,
        "hour": 32.0,
        "risk": 1.0,
        "zeta": 0.25,
    }  # powers of two, so that nothing is rounded
    raw = ArrayForest.grow(
        NAMES, **PARAMETERS, unscale=lambda name, thresholds: factors[name] * thresholds
    )
    events = build_matrix(generate_events(45), NAMES)
    scaled = ArrayForest.grow(NAMES, **PARAMETERS)
    scaled.learn_many(events)
    in_raw = events * np.array([factors[name] for name in NAMES])
    raw.learn_many(in_raw)
    assert raw.score_many(in_raw).tolist() == scaled.score_many(events).tolist()
    assert len(set(scaled.score_many(events).tolist())) > 10


def test_trees_need_a_feature() -> None:
    with pytest.raises(ValueError, match="one feature"):
        ArrayForest.grow([], **PARAMETERS)


def test_forests_are_equal_only_if_trees_and_masses_are() -> None:
    events = generate_events(25)
    assert train_arrays(events, **PARAMETERS).equals(train_arrays(events, **PARAMETERS))
    for other in (
        PARAMETERS | {"seed": 43},
        PARAMETERS | {"window_size": 11},
        PARAMETERS | {"n_trees": 2},
    ):
        assert not train_arrays(events, **PARAMETERS).equals(train_arrays(events, **other))
    assert not train_arrays(events, **PARAMETERS).equals(train_arrays(events[1:], **PARAMETERS))
