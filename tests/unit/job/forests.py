"""Strategies for small forests and events, and comparison of array forests with river's."""

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees

from retraining_job.events.features import Features
from retraining_job.model.array_forest import ArrayForest, build_matrix
from retraining_job.model.garbage import pause_garbage_collection
from retraining_job.model.tree_growth import ForestParameters, compute_depth_first_order

NAMES = ["amount", "hour", "risk", "zeta"]
VALUES = st.floats(-0.5, 1.5)
COMPLETE = st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))
WITH_GAPS = st.dictionaries(st.sampled_from(NAMES), VALUES)
PARAMETERS_STRATEGY = st.fixed_dictionaries(
    {
        "n_trees": st.integers(1, 4),
        "height": st.integers(1, 6),
        "window_size": st.integers(1, 12),
        "seed": st.integers(0, 2**70),
    }
)
EVENTS = st.lists(COMPLETE, min_size=1, max_size=50) | st.builds(
    lambda first, others: [first, *others], COMPLETE, st.lists(WITH_GAPS, max_size=50)
)
"""The first event has all features, because the trees split its features."""


def train_river(
    events: Sequence[Features], **parameters: Unpack[ForestParameters]
) -> HalfSpaceTrees:
    """Return river's forest that has learned the events one by one."""
    forest = HalfSpaceTrees(**parameters)
    with pause_garbage_collection():
        for features in events:
            forest.learn_one(features)
    return forest


def train_arrays(events: Sequence[Features], **parameters: Unpack[ForestParameters]) -> ArrayForest:
    """Return an array forest that has learned the events."""
    forest = ArrayForest.grow(NAMES, **parameters)
    forest.learn_many(build_matrix(events, NAMES))
    return forest


def describe(forest: HalfSpaceTrees) -> dict[str, Any]:
    """Return the whole state of river's forest: nodes in order, settings, counters, generator."""
    with pause_garbage_collection():
        nodes = [list(tree.iter_dfs()) for tree in forest.trees]
        assert all(
            mine is listed
            for tree, flat in zip(nodes, forest._tree_nodes, strict=True)
            for mine, listed in zip(tree, flat, strict=True)
        )
        parts = [
            (
                type(node),
                getattr(node, "feature", None),
                getattr(node, "threshold", None),
                node.l_mass,
                node.r_mass,
            )
            for tree in nodes
            for node in tree
        ]
    own = ("n_trees", "height", "window_size", "seed", "counter", "_first_window")
    return {"nodes": parts, "rng": forest.rng.getstate(), "limits": dict(forest.limits)} | {
        name: getattr(forest, name) for name in own
    }


def equals_river(ours: ArrayForest, rivers: HalfSpaceTrees) -> bool:
    """Return whether an array forest equals river's: trees, masses, counters, generator."""
    order = np.argsort(compute_depth_first_order(ours.height + 1))
    with pause_garbage_collection():
        masses = [[(node.l_mass, node.r_mass) for node in tree] for tree in rivers._tree_nodes]
        splits = [
            [(node.feature, node.threshold) for node in tree if hasattr(node, "feature")]
            for tree in rivers._tree_nodes
        ]
    inner = order[order < ours.features.shape[1]]
    return (
        np.array_equal(np.stack([ours.l_mass[:, order], ours.r_mass[:, order]], axis=2), masses)
        and [[ours.names[index] for index in tree] for tree in ours.features[:, inner]]
        == [[name for name, _ in tree] for tree in splits]
        and ours.thresholds[:, inner].tolist()
        == [[threshold for _, threshold in tree] for tree in splits]
        and (ours.counter, ours.first_window, ours.rng_state)
        == (rivers.counter, rivers._first_window, rivers.rng.getstate())
    )
