"""Both kinds of forest node by node, and rows as the events that river takes.

Used by model, forest and proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.model.array_forest import ArrayForest, depth_first

if TYPE_CHECKING:
    import numpy as np
    from river.anomaly import HalfSpaceTrees

    from retraining_job.events.features import Features


class Node(NamedTuple):
    """A node of either kind of forest; a leaf has no feature and no threshold."""

    feature: str | None
    threshold: float | None
    l_mass: int
    r_mass: int


def nodes_of(forest: ArrayForest | HalfSpaceTrees) -> Iterator[Node]:
    """Give the nodes tree by tree, depth first; without end where a forged forest runs in circles."""
    return array_nodes(forest) if isinstance(forest, ArrayForest) else river_nodes(forest)


def array_nodes(forest: ArrayForest) -> Iterator[Node]:
    """Give the nodes of a forest in arrays, tree by tree, depth first."""
    order = depth_first(forest.height + 1).argsort().tolist()
    names = forest.names
    for features, thresholds, *masses in zip(
        forest.features.tolist(),
        forest.thresholds.tolist(),
        forest.l_mass.tolist(),
        forest.r_mass.tolist(),
        strict=True,
    ):
        inner = len(features)
        for node in order:
            split = (names[features[node]], thresholds[node]) if node < inner else (None, None)
            yield Node(*split, *(mass[node] for mass in masses))


def river_nodes(forest: HalfSpaceTrees) -> Iterator[Node]:
    """Give the nodes of river's forest, tree by tree, depth first."""
    for tree in forest.trees:
        stack: list[object] = [tree]
        while stack:
            parts = vars(stack.pop())
            stack.extend(reversed(parts.get("children", ())))
            yield Node(
                parts.get("feature"), parts.get("threshold"), parts["l_mass"], parts["r_mass"]
            )


def event_of(names: Sequence[str], row: np.ndarray) -> Features:
    """Give a row as the event that river takes, without the features that are missing: those that are NaN."""
    pairs = zip(names, row.tolist(), strict=True)
    return {name: value for name, value in pairs if value == value}  # noqa: PLR0124  # a NaN is not equal to itself
