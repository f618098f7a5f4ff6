"""Training of a forest: the state that river's `learn_one` over all events in order would reach.

The array forest is used if the equivalence check passes. Otherwise river's own forest is trained,
which takes many times as long and gives the same result.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, Unpack

import numpy as np

from retraining_job.model.array_forest import ArrayForest, FeatureValues, build_matrix
from retraining_job.model.equivalence import check_equivalence
from retraining_job.model.garbage import pause_garbage_collection
from retraining_job.model.nodes import get_feature_values
from retraining_job.model.river_import import import_half_space_trees
from retraining_job.model.tree_growth import ForestParameters, Unscale

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees

Row = TypeVar("Row")

log = logging.getLogger(__name__)


def train_forest(
    events: Sequence[FeatureValues],
    *,
    check: Callable[[], str | None] = check_equivalence,
    **parameters: Unpack[ForestParameters],
) -> ArrayForest | HalfSpaceTrees:
    """Return a forest that has learned events, each of which may have other features.

    Args:
        events: The features of each event, oldest first. The trees split those of the first event.
        check: The equivalence check: returns None if the array forest can be used, otherwise why
            not.
        **parameters: The parameters of the forest.

    Returns:
        The trained forest.
    """
    if not events or not events[0] or not can_use_array_forest(check):
        return train_river_forest(events, **parameters)
    forest = ArrayForest.grow(sorted(events[0]), **parameters)
    effective = select_effective_events(events, parameters["window_size"])
    forest.learn_many(build_matrix(effective, forest.names))
    return forest


def train_forest_on_matrix(
    names: Sequence[str],
    matrix: np.ndarray,
    *,
    unscale: Unscale | None = None,
    check: Callable[[], str | None] = check_equivalence,
    **parameters: Unpack[ForestParameters],
) -> ArrayForest | HalfSpaceTrees:
    """Return a forest that has learned the rows of a matrix.

    Args:
        names: The features of the columns, sorted.
        matrix: Shape (n_events, n_names), float64, oldest event first. NaN where an event lacks the
            feature.
        unscale: Converts the thresholds to raw values, so that the matrix holds raw values too.
        check: The equivalence check: returns None if the array forest can be used, otherwise why
            not.
        **parameters: The parameters of the forest.

    Returns:
        The trained forest.

    Raises:
        ValueError: There is no feature.
    """
    if can_use_array_forest(check):
        forest = ArrayForest.grow(names, **parameters, unscale=unscale)
        forest.learn_many(matrix)
        return forest
    with pause_garbage_collection():
        river_forest = grow_river_forest(names, **parameters, unscale=unscale)
        for row in select_effective_events(range(len(matrix)), parameters["window_size"]):
            features = get_feature_values(names, matrix[row])
            river_forest.learn_one(features)
    return river_forest


def can_use_array_forest(check: Callable[[], str | None]) -> bool:
    """Return whether the equivalence check passes, and log a warning if it does not."""
    difference = check()
    if difference:
        log.warning(
            "Training with river's own forest, which takes many times as long and gives the same "
            "result, because %s.",
            difference,
        )
    return not difference


def train_river_forest(
    events: Sequence[FeatureValues], **parameters: Unpack[ForestParameters]
) -> HalfSpaceTrees:
    """Return river's own forest that has learned events.

    Args:
        events: The features of each event, oldest first.
        **parameters: The parameters of the forest.

    Returns:
        The trained forest.
    """
    forest = import_half_space_trees()(**parameters)
    with pause_garbage_collection():
        for features in select_effective_events(events, parameters["window_size"]):
            forest.learn_one(features)
    return forest


def grow_river_forest(
    names: Sequence[str], *, unscale: Unscale | None, **parameters: Unpack[ForestParameters]
) -> HalfSpaceTrees:
    """Create river's own forest with its trees grown and nothing learned.

    Args:
        names: The features, sorted.
        unscale: Converts the thresholds to raw values. None keeps them in [0, 1].
        **parameters: The parameters of the forest.

    Returns:
        The forest.

    Raises:
        ValueError: There is no feature.
    """
    if not names:
        raise ValueError("A forest needs at least one feature.")
    forest = import_half_space_trees()(**parameters)
    # River grows the trees at the first event.
    forest.learn_one(dict.fromkeys(names, 0.0))
    forest.counter, forest._first_window = 0, True
    splitting = defaultdict(list)
    for nodes in forest._tree_nodes:
        for node in nodes:
            node.l_mass = node.r_mass = 0
            if hasattr(node, "feature"):
                splitting[node.feature].append(node)
    if unscale is not None:
        for name, nodes in splitting.items():
            raw = unscale(name, np.array([node.threshold for node in nodes]))
            for node, threshold in zip(nodes, raw.tolist(), strict=True):
                node.threshold = threshold
    return forest


def select_effective_events(events: Sequence[Row], window_size: int) -> list[Row]:
    """Return the events that have an effect on the trained forest.

    These are the first window, the last full window, and the events after it. The features of the
    first event decide the trees. At the end of each window its masses replace the ones before, and
    every counter starts at zero again, including those that decide where events with missing
    features go. Therefore a window has no effect once the next one is full.

    Args:
        events: All events, oldest first.
        window_size: Events in a window of the forest.

    Returns:
        The selected events, oldest first.
    """
    full_windows = len(events) // window_size
    if full_windows <= 2:
        return list(events)
    return [*events[:window_size], *events[(full_windows - 1) * window_size :]]
