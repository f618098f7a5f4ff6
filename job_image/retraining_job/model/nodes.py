"""Both kinds of forest, node by node, and rows of a matrix as events for river."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.tree_growth import compute_depth_first_order

if TYPE_CHECKING:
    import numpy as np
    from river.anomaly import HalfSpaceTrees


class Node(NamedTuple):
    """A node of either kind of forest. A leaf has no feature and no threshold."""

    feature: str | None
    threshold: float | None
    l_mass: int
    r_mass: int


def iterate_nodes(forest: ArrayForest | HalfSpaceTrees) -> Iterator[Node]:
    """Iterate over the nodes, tree by tree, depth first.

    The iteration is endless if a forged forest contains a cycle.
    """
    if isinstance(forest, ArrayForest):
        return iterate_array_nodes(forest)
    return iterate_river_nodes(forest)


def iterate_array_nodes(forest: ArrayForest) -> Iterator[Node]:
    """Iterate over the nodes of an array forest, tree by tree, depth first."""
    order = compute_depth_first_order(forest.height + 1).argsort().tolist()
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


def iterate_river_nodes(forest: HalfSpaceTrees) -> Iterator[Node]:
    """Iterate over the nodes of river's forest, tree by tree, depth first."""
    for tree in forest.trees:
        stack: list[object] = [tree]
        while stack:
            parts = vars(stack.pop())
            stack.extend(reversed(parts.get("children", ())))
            yield Node(
                parts.get("feature"), parts.get("threshold"), parts["l_mass"], parts["r_mass"]
            )


def get_feature_values(names: Sequence[str], row: np.ndarray) -> dict[str, float]:
    """Return a row as an event for river.

    Args:
        names: The features of the columns.
        row: Shape (n_names,), float64. NaN where the event lacks the feature.

    Returns:
        The values by name, without the features that the event lacks.
    """
    pairs = zip(names, row.tolist(), strict=True)
    # NaN is not equal to itself. math.isnan would cost a call for each value.
    return {name: value for name, value in pairs if value == value}  # noqa: PLR0124
