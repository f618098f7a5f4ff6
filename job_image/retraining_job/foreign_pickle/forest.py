"""Converts the trees of a foreign pickle to arrays.

River's trees are full and binary. Therefore their nodes can be collected level by level, as an
array forest stores them. What the pickle says of the forest is checked before any array is created.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from retraining_job.foreign_pickle.boxed_nodes import BoxedNodes, NodeIndex
from retraining_job.foreign_pickle.boxed_values import DEFAULTDICT, Instance
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.model import UnreadableModelError
from retraining_job.model.state_schema import (
    HEIGHT_LIMIT,
    NAMES_LIMIT,
    NODE_LIMIT,
    TREES_LIMIT,
    WINDOW_LIMIT,
)
from retraining_job.model.tree_growth import ForestParameters, GrownTrees

ATTRIBUTES = (
    "_first_window",
    "_tree_nodes",
    "counter",
    "height",
    "limits",
    "n_trees",
    "rng",
    "seed",
    "trees",
    "window_size",
)
"""The attributes of river's forest."""


def build_foreign_forest(attributes: Mapping[object, object], nodes: BoxedNodes) -> ArrayForest:
    """Build the forest that a pickle describes.

    Args:
        attributes: The attributes of its forest.
        nodes: Its nodes.

    Returns:
        A forest that scores as river's own would. It has no seed, because its trees need not follow
        from one.

    Raises:
        UnreadableModelError: It is not a forest that can score.
    """
    parameters = read_parameters(attributes)
    trees = attributes["trees"]
    if type(trees) is not list or not all(type(tree) is NodeIndex for tree in trees):
        raise UnreadableModelError("the attribute trees of its forest is not a list of trees")
    if len(trees) not in {0, parameters["n_trees"]}:
        raise UnreadableModelError(
            f"its forest does not have the trees that its attributes state: {len(trees):,} instead "
            f"of {parameters['n_trees']:,}"
        )
    counter = read_count(attributes, "counter", 0, parameters["window_size"] - 1)
    first_window = attributes["_first_window"]
    if type(first_window) is not bool:
        raise UnreadableModelError("the attribute _first_window of its forest is not true or false")
    if not trees and not (first_window and counter == 0):
        raise UnreadableModelError("its forest has no trees, but counts events")
    names = read_names(attributes["limits"], nodes)
    order = collect_nodes(trees, parameters["height"], nodes)
    forest = ArrayForest(names, read_splits(order, names, parameters, nodes), parameters)
    forest.l_mass = read_masses(order, nodes.l_mass, parameters["window_size"])
    forest.r_mass = read_masses(order, nodes.r_mass, parameters["window_size"])
    forest.counter, forest.first_window = counter, first_window
    return forest


def read_parameters(attributes: Mapping[object, object]) -> ForestParameters:
    """Read the parameters of the forest.

    Args:
        attributes: Its attributes.

    Returns:
        The parameters, without a seed.

    Raises:
        UnreadableModelError: They are missing, or out of range.
    """
    if missing := [name for name in ATTRIBUTES if name not in attributes]:
        raise UnreadableModelError(f"its HalfSpaceTrees lacks the attributes {', '.join(missing)}")
    n_trees = read_count(attributes, "n_trees", 1, TREES_LIMIT)
    height = read_count(attributes, "height", 0, HEIGHT_LIMIT)
    if n_trees << (height + 1) > NODE_LIMIT:
        raise UnreadableModelError(
            f"its {n_trees} trees of height {height} have more than {NODE_LIMIT:,} nodes"
        )
    window_size = read_count(attributes, "window_size", 1, WINDOW_LIMIT)
    return {"n_trees": n_trees, "height": height, "window_size": window_size, "seed": None}


def read_count(attributes: Mapping[object, object], name: str, least: int, most: int) -> int:
    """Read a whole number from the attributes of the forest.

    Args:
        attributes: The attributes.
        name: The name of the number.
        least: The smallest number that is possible.
        most: The greatest one.

    Returns:
        The number.

    Raises:
        UnreadableModelError: It is out of range, or no whole number.
    """
    value = attributes[name]
    if type(value) is not int or not least <= value <= most:
        raise UnreadableModelError(
            f"the attribute {name} of its forest is not a whole number from {least:,} to {most:,}"
        )
    return value


def read_names(limits: object, nodes: BoxedNodes) -> list[str]:
    """Read the names of the features.

    Args:
        limits: The attribute `limits`: a dictionary of the features that the forest has seen.
        nodes: The nodes. A forest that was given limits of its own may lack a feature there.

    Returns:
        The names, sorted.

    Raises:
        UnreadableModelError: There are too many, or the attribute is no dictionary.
    """
    items = limits.items if type(limits) is Instance and limits.kind == DEFAULTDICT else limits
    if type(items) is not dict:
        raise UnreadableModelError("the attribute limits of its forest is not a dictionary")
    names = {*items, *nodes.names}
    if len(names) > NAMES_LIMIT:
        raise UnreadableModelError(f"its forest has more than {NAMES_LIMIT:,} features")
    return sorted(names)


def collect_nodes(trees: list[NodeIndex], height: int, nodes: BoxedNodes) -> np.ndarray:
    """Collect the nodes of full binary trees.

    Args:
        trees: The roots.
        height: Levels from the root to the leaves.
        nodes: The nodes.

    Returns:
        Shape (n_trees, 2^(height + 1) - 1), int32. The index of each node, level by level.

    Raises:
        UnreadableModelError: The trees have another shape, or nodes in common, or a node is its own
            descendant.
    """
    if not trees:
        return np.zeros((0, (2 << height) - 1), np.int32)
    order = np.empty((len(trees), (2 << height) - 1), np.int32)
    level = np.array(trees, np.int32).reshape(-1, 1)
    for depth in range(height + 1):
        order[:, (1 << depth) - 1 : (2 << depth) - 1] = level
        if (nodes.is_branch[level] != (depth < height)).any():
            raise UnreadableModelError(f"its trees do not all have the height of {height}")
        if depth < height:
            level = np.stack([side[level] for side in (nodes.left, nodes.right)], axis=2).reshape(
                len(trees), -1
            )
        if (level < 0).any():
            raise UnreadableModelError("a branch of its trees has no children")
    if np.bincount(order.reshape(-1), minlength=1).max() > 1:
        raise UnreadableModelError("a node of its trees is in more than one place")
    return order


def read_splits(
    order: np.ndarray, names: list[str], parameters: ForestParameters, nodes: BoxedNodes
) -> GrownTrees:
    """Read features and thresholds of the branches.

    Args:
        order: Shape (n_trees, n_nodes), int32. The index of each node, level by level.
        names: The features, sorted.
        parameters: The parameters of the forest.
        nodes: The nodes.

    Returns:
        The trees.

    Raises:
        UnreadableModelError: A branch has no feature, or no finite threshold.
    """
    inner = (1 << parameters["height"]) - 1
    if not len(order):
        return GrownTrees(np.zeros((0, inner), np.int16), np.zeros((0, inner)), ())
    branches = order[:, :inner]
    numbers = nodes.features[branches]
    thresholds = nodes.thresholds[branches]
    if (numbers < 0).any() or not np.isfinite(thresholds).all():
        raise UnreadableModelError("a branch of its trees has no feature, or no finite threshold")
    place = {name: index for index, name in enumerate(names)}
    index_by_number = np.array([place[name] for name in nodes.names], np.int16)
    features = index_by_number[numbers] if inner else np.zeros(branches.shape, np.int16)
    return GrownTrees(features, thresholds, ())


def read_masses(order: np.ndarray, numbers: np.ndarray, window_size: int) -> np.ndarray:
    """Read masses of all nodes.

    Args:
        order: Shape (n_trees, n_nodes), int32. The index of each node, level by level.
        numbers: Shape (n,), int32. The mass of each node by its index.
        window_size: The number of events in a window.

    Returns:
        Shape (n_trees, n_nodes), int32.

    Raises:
        UnreadableModelError: A node has no mass, or a greater one than the window has events.
    """
    masses: np.ndarray = numbers[order]
    if (masses < 0).any() or (masses > window_size).any():
        raise UnreadableModelError(
            "a node of its trees has no mass, or a greater one than its window has events"
        )
    return masses
