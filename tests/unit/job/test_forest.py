"""Training on effective events only: equal to river's training to the last bit."""

from collections.abc import Sequence
from typing import Any, Unpack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees

from retraining_job.events.features import Features
from retraining_job.model.forest import select_effective_events, train_river_forest
from retraining_job.model.garbage import pause_garbage_collection
from retraining_job.model.tree_growth import ForestParameters

NAMES = ["amount", "hour", "risk", "zeta"]
COMPLETE = st.fixed_dictionaries({name: st.floats(-2.0, 2.0) for name in NAMES})
WITH_GAPS = st.dictionaries(st.sampled_from(NAMES), st.floats(-2.0, 2.0), min_size=1)


def train_river(
    events: Sequence[Features], **parameters: Unpack[ForestParameters]
) -> HalfSpaceTrees:
    forest = HalfSpaceTrees(**parameters)
    with pause_garbage_collection():
        for features in events:
            forest.learn_one(features)
    return forest


def state(forest: HalfSpaceTrees) -> dict[str, Any]:
    """Return the whole state of a forest: nodes in order, counters, generator."""
    with pause_garbage_collection():
        nodes = [
            (
                getattr(node, "feature", None),
                getattr(node, "threshold", None),
                node.l_mass,
                node.r_mass,
            )
            for tree in forest.trees
            for node in tree.iter_dfs()
        ]
    own = ("n_trees", "height", "window_size", "seed", "counter", "_first_window")
    listed = [len(nodes) for nodes in forest._tree_nodes]
    return {
        "nodes": nodes,
        "rng": forest.rng.getstate(),
        "listed": listed,
        "limits": dict(forest.limits),
    } | {name: getattr(forest, name) for name in own}


@pytest.mark.slow
@settings(deadline=None)
@given(
    events=st.lists(COMPLETE, max_size=60) | st.lists(WITH_GAPS, max_size=60),
    parameters=st.fixed_dictionaries(
        {
            "n_trees": st.integers(1, 3),
            "height": st.integers(1, 5),
            "window_size": st.integers(1, 12),
            "seed": st.integers(0, 2**32),
        }
    ),
    more=st.lists(WITH_GAPS, max_size=15),
)
def test_forest_is_rivers_own(
    events: list[Features], parameters: ForestParameters, more: list[Features]
) -> None:
    ours, rivers = train_river_forest(events, **parameters), train_river(events, **parameters)
    assert state(ours) == state(rivers)
    for features in more:  # and it learns on as river's
        assert ours.score_one(features) == rivers.score_one(features)
        ours.learn_one(features)
        rivers.learn_one(features)
    assert state(ours) == state(rivers)


def test_events_without_effect_are_not_learned() -> None:
    events = [{"number": float(i)} for i in range(1_020)]
    assert [int(one["number"]) for one in select_effective_events(events, 250)] == [
        *range(250),
        *range(750, 1_020),
    ]
