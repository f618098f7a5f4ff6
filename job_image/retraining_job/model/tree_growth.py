"""Random trees as arrays, before they have learned any event.

This mirrors `river.tree.padded` and the use of it in `river.anomaly.hst` (river 0.26) operation by
operation, because the order of floating-point operations decides the last bit.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict

import numpy as np

Unscale = Callable[[str, np.ndarray], np.ndarray]
"""Converts scaled thresholds in [0, 1] of the named feature to raw ones. It must preserve order.
"""

PADDING = 0.15
"""River's: no split falls into this share of a feature's range at either end."""

LIMITS_AT_ONCE = 1 << 18
"""Bounds the memory of growing: limits (nodes times features) that are computed at a time."""


class ForestParameters(TypedDict):
    """The parameters of river's forest, under river's names."""

    n_trees: int
    height: int
    """Levels from the root to the leaves, at least 1."""
    window_size: int
    """Events in a window."""
    seed: int | None
    """None if the trees are a foreign champion's, which need not follow from a seed."""


class GrownTrees(NamedTuple):
    """Trees that have learned nothing yet.

    The trees are full and binary. Their nodes are stored level by level: the children of node i are
    2i + 1 and 2i + 2.
    """

    features: np.ndarray
    """Shape (n_trees, 2^height - 1), int16. Index of the feature that each inner node splits."""
    thresholds: np.ndarray
    """Shape (n_trees, 2^height - 1), float64. A value below the threshold goes left."""
    rng_state: tuple[object, ...]
    """State of Python's random generator after growing."""


def grow_trees(
    names: Sequence[str], unscale: Unscale | None, parameters: ForestParameters
) -> GrownTrees:
    """Create the trees that river creates from this seed with the limits [0, 1] for all features.

    River draws two numbers for each inner node, depth first. Its generator is Python's, which numpy
    implements as well.

    Args:
        names: The features, sorted.
        unscale: Converts the thresholds, so that the trees take raw features. None keeps them in
            [0, 1].
        parameters: The parameters of the forest.

    Returns:
        The trees.

    Raises:
        ValueError: There is no feature, or a split has no range left, where river raises as well.
    """
    if not names:
        raise ValueError("A forest needs at least one feature.")
    generator = np.random.RandomState(0)
    python_generator = random.Random(parameters["seed"])  # noqa: S311  # as river
    version, words, gauss = python_generator.getstate()
    generator.set_state(
        {"bit_generator": "MT19937", "state": {"key": words[:-1], "pos": words[-1]}}
    )
    n_trees, inner = parameters["n_trees"], 2 ** parameters["height"] - 1
    features, thresholds = np.empty((n_trees, inner), np.int16), np.empty((n_trees, inner))
    order = compute_depth_first_order(parameters["height"])
    step = max(1, LIMITS_AT_ONCE // (inner * len(names)))
    for start in range(0, n_trees, step):
        draws = generator.random_sample((min(step, n_trees - start), inner, 2))[:, order]
        features[start : start + step], thresholds[start : start + step] = compute_splits(
            draws, len(names)
        )
    if unscale is not None:
        for index, name in enumerate(names):
            thresholds[features == index] = unscale(name, thresholds[features == index])
    after = generator.get_state(legacy=False)["state"]
    return GrownTrees(
        features, thresholds, (version, (*after["key"].tolist(), after["pos"]), gauss)
    )


def compute_splits(draws: np.ndarray, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute each inner node's feature and threshold, as river's `make_padded_tree` does.

    A feature is drawn in proportion to the width of its limits at the node (`random.choices`:
    cumulative sums and bisection), then a threshold between its padded limits (`random.uniform`).
    In the nodes below, the limits end at this threshold.

    Args:
        draws: Shape (n_trees, n_inner, 2), float64 in [0, 1). Numbers of the generator, with nodes
            level by level.
        n_features: Number of features.

    Returns:
        The feature indices, shape (n_trees, n_inner), int16, and the thresholds, same shape,
        float64 in [0, 1].

    Raises:
        ValueError: A split has no range left.
    """
    n_trees, inner, _ = draws.shape
    features, thresholds = np.empty((n_trees, inner), np.int16), np.empty((n_trees, inner))
    low, high = np.zeros((n_features, n_trees)), np.ones((n_features, n_trees))
    for level in range(inner.bit_length()):
        nodes = slice(2**level - 1, 2 ** (level + 1) - 1)
        choice, position = draws[:, nodes].reshape(-1, 2).T
        sums = np.cumsum(high - low, axis=0)
        if not (sums[-1] > 0.0).all():
            raise ValueError("The trees are too high: a split has no range left.")
        chosen = np.count_nonzero(sums[:-1] <= choice * sums[-1], axis=0)
        column = np.arange(len(chosen))
        chosen_low, chosen_high = low[chosen, column], high[chosen, column]
        padding = PADDING * (chosen_high - chosen_low)
        start, end = chosen_low + padding, chosen_high - padding
        threshold = start + (end - start) * position
        features[:, nodes], thresholds[:, nodes] = (
            chosen.reshape(n_trees, -1),
            threshold.reshape(n_trees, -1),
        )
        if nodes.stop == inner:
            break  # Leaves need no limits, which would take as much memory as all levels before.
        low, high = np.repeat(low, 2, axis=1), np.repeat(high, 2, axis=1)
        high[chosen, 2 * column] = threshold  # of the left child
        low[chosen, 2 * column + 1] = threshold  # of the right child
    return features, thresholds


def compute_depth_first_order(levels: int) -> np.ndarray:
    """Compute the depth-first position of each node of a full binary tree.

    Args:
        levels: Number of levels of the tree.

    Returns:
        Shape (2^levels - 1,), intp. Positions of the nodes, which are stored level by level.
    """
    order = np.zeros(2**levels - 1, np.intp)
    for level in range(levels - 1):
        first, below = 2**level - 1, 2 ** (levels - level - 1) - 1
        parents = order[first : 2 * first + 1]
        order[2 * first + 1 : 4 * first + 3 : 2] = parents + 1
        order[2 * first + 2 : 4 * first + 3 : 2] = parents + 1 + below
    return order
