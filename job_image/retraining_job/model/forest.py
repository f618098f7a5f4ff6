"""The forest, in the state that river's `learn_one` over all events, in this order, would give it. Pure.

The fast way is `trees.ArrayForest`, taken where `proof` has nothing against it; else river's own
takes its time.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, Unpack

import numpy as np

from retraining_job.model.array_forest import ArrayForest, Shape, Unscale, matrix_of
from retraining_job.model.equivalence import prove
from retraining_job.model.garbage import collector_off
from retraining_job.model.nodes import event_of
from retraining_job.model.river_import import half_space_trees

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees

    from retraining_job.events.features import Features

Row = TypeVar("Row")

log = logging.getLogger(__name__)


def learned(
    events: Sequence[Features],
    *,
    proof: Callable[[], str | None] = prove,
    **shape: Unpack[Shape],
) -> ArrayForest | HalfSpaceTrees:
    """Give the forest that has learned the events; those of the first one are the features that it splits.

    Args:
        events: each with the features that it has; they may differ.
        proof: tells what speaks against the fast way, None where nothing does.
        **shape: of the forest.
    """
    if not events or not events[0] or not trusted(proof):
        return learned_forest(events, **shape)
    forest = ArrayForest.grown(sorted(events[0]), **shape)
    forest.learn(matrix_of(decisive(events, shape["window_size"]), forest.names))
    return forest


def learned_rows(
    names: Sequence[str],
    matrix: np.ndarray,
    *,
    unscale: Unscale | None = None,
    proof: Callable[[], str | None] = prove,
    **shape: Unpack[Shape],
) -> ArrayForest | HalfSpaceTrees:
    """Give the forest that has learned the rows of a matrix, each an event.

    Args:
        names: the columns' features, sorted.
        matrix: (events, features); NaN where an event has not the feature.
        unscale: writes the features' scaling into the thresholds, so that the matrix is a raw one.
        proof: tells what speaks against the fast way, None where nothing does.
        **shape: of the forest.

    Raises:
        ValueError: there is no feature.
    """
    if trusted(proof):
        forest = ArrayForest.grown(names, **shape, unscale=unscale)
        forest.learn(matrix)
        return forest
    with collector_off():
        rivers = planted(names, **shape, unscale=unscale)
        for place in decisive(range(len(matrix)), shape["window_size"]):
            rivers.learn_one(event_of(names, matrix[place]))  # type: ignore[no-untyped-call]
    return rivers


def trusted(proof: Callable[[], str | None]) -> bool:
    """Ask whether the fast way gives what river does; say so where it does not."""
    doubt = proof()
    if doubt:
        log.warning(
            "Plain river is used, which takes many times as long to train and gives the same result, since %s.",
            doubt,
        )
    return not doubt


def learned_forest(events: Sequence[Features], **shape: Unpack[Shape]) -> HalfSpaceTrees:
    """Give river's own forest that has learned the events, by `learn_one` on those that leave a trace."""
    forest = half_space_trees()(**shape)
    with collector_off():
        for features in decisive(events, shape["window_size"]):
            forest.learn_one(features)  # type: ignore[no-untyped-call]
    return forest


def planted(
    names: Sequence[str], *, unscale: Unscale | None, **shape: Unpack[Shape]
) -> HalfSpaceTrees:
    """Give river's own forest with its trees grown and nothing learned; thresholds are raw where `unscale` is given."""
    if not names:
        raise ValueError("A forest needs one feature at least.")
    forest = half_space_trees()(**shape)
    forest.learn_one(dict.fromkeys(names, 0.0))  # type: ignore[no-untyped-call]  # river grows them then
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


def decisive(events: Sequence[Row], window_size: int) -> list[Row]:
    """Pick the events that leave a trace in the forest: the first window, the last full one, and what follows it.

    The first event's feature names decide the trees. At the end of each window its masses replace
    the ones before, and every counter starts at zero again, those that steer events with missing
    features included. So a window leaves nothing behind once the next one is full, and whole
    windows in between can be left out.
    """
    full_windows = len(events) // window_size
    if full_windows <= 2:
        return list(events)
    return [*events[:window_size], *events[(full_windows - 1) * window_size :]]
