"""Equivalence check: compares the array forest with the installed river on small forests.

Two parts depend on how river works inside, which another release may change without notice: the
array forest, and the pickle that is written from it without creating nodes.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from retraining_job.model.array_forest import ArrayForest, FeatureValues, build_matrix
from retraining_job.model.forest_pickle import pickle_forest
from retraining_job.model.nodes import iterate_nodes
from retraining_job.model.river_import import import_half_space_trees
from retraining_job.model.tree_growth import ForestParameters

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees


class Case(NamedTuple):
    """A small forest and the events that it learns."""

    n_trees: int
    height: int
    window_size: int
    events: int
    missing_share: float
    """Share of feature values that are missing, in [0, 1]."""


CASES = (
    Case(n_trees=3, height=5, window_size=8, events=45, missing_share=0.0),
    Case(n_trees=2, height=4, window_size=10, events=37, missing_share=0.3),
    Case(n_trees=1, height=1, window_size=3, events=2, missing_share=0.0),
)
NAMES = ("amount", "hour", "risk")
LATER_EVENTS = 20
"""Events that both forests are scored on, and that both then learn."""


def check_equivalence() -> str | None:
    """Check that array forest and river agree.

    Returns:
        None if they agree. Otherwise what differs, as a clause for a message.
    """
    try:
        for seed, case in enumerate(CASES):
            if difference := check_case(case, seed):
                return (
                    "the array forest of this trainer differs from the forest of the installed "
                    f"river in {difference}"
                )
    except Exception as error:  # noqa: BLE001  # another release may raise anything
        return (
            "the comparison of the array forest with the installed river failed "
            f"({type(error).__name__}: {error})"
        )
    return None


def check_case(case: Case, seed: int) -> str | None:
    """Train one small forest both ways, write and read its pickle, and let both learn more.

    Args:
        case: The forest and its number of events.
        seed: Seed of the forest and of the events.

    Returns:
        The first difference, or None.
    """
    events = generate_events(case.events + LATER_EVENTS, case.missing_share, seed)
    learned, later = events[: case.events], events[case.events :]
    parameters = ForestParameters(
        n_trees=case.n_trees, height=case.height, window_size=case.window_size, seed=seed
    )
    river_forest = import_half_space_trees()(**parameters)
    for event in learned:
        river_forest.learn_one(event)
    forest = ArrayForest.grow(NAMES, **parameters)
    forest.learn_many(build_matrix(learned, NAMES))
    blob = pickle_forest(forest, None)
    unpickled = pickle.loads(blob)["hst"]  # noqa: S301  # written one line above
    if difference := find_difference(river_forest, forest, later):
        return difference
    if difference := find_pickle_difference(river_forest, unpickled):
        return difference
    for event in later:
        river_forest.learn_one(event)
        unpickled.learn_one(event)
    forest.learn_many(build_matrix(later, NAMES))
    difference = find_difference(river_forest, forest, later)
    return difference or find_pickle_difference(river_forest, unpickled)


def find_difference(
    river_forest: HalfSpaceTrees, forest: ArrayForest, events: Sequence[FeatureValues]
) -> str | None:
    """Find the first difference between river's forest and an array forest.

    Args:
        river_forest: River's forest.
        forest: The array forest.
        events: Events whose scores are compared.

    Returns:
        What differs, or None.
    """
    pairs = zip_longest(iterate_nodes(forest), iterate_nodes(river_forest))
    if any(ours != theirs for ours, theirs in pairs):
        return "its nodes"
    if forest.rng_state != river_forest.rng.getstate():
        return "its random generator"
    counters = (river_forest.counter, river_forest._first_window)
    if (forest.counter, forest.first_window) != counters:
        return "its counters"
    scores = forest.score_many(build_matrix(events, NAMES)).tolist()
    score_one: Callable[[FeatureValues], float] = river_forest.score_one
    if scores != list(map(score_one, events)):
        return "its scores"
    return None


def find_pickle_difference(river_forest: HalfSpaceTrees, unpickled: HalfSpaceTrees) -> str | None:
    """Find the first difference between river's forest and the one that was read from our pickle.

    Args:
        river_forest: River's forest.
        unpickled: The forest from the pickle.

    Returns:
        What differs, or None.
    """
    has_same_attributes = list(vars(unpickled)) == list(vars(river_forest))
    if type(unpickled) is not type(river_forest) or not has_same_attributes:
        return "the attributes in its pickle"
    if list_nodes(unpickled) != list_nodes(river_forest):
        return "the nodes in its pickle"
    if not lists_own_nodes(unpickled):
        return "the order of the nodes in its pickle"
    if get_plain_attributes(unpickled) != get_plain_attributes(river_forest):
        return "the settings in its pickle"
    if unpickled.rng.getstate() != river_forest.rng.getstate():
        return "the settings in its pickle"
    return None


def lists_own_nodes(forest: HalfSpaceTrees) -> bool:
    """Return whether `_tree_nodes` lists the very objects of the trees, depth first."""
    if len(forest.trees) != len(forest._tree_nodes):
        return False
    for tree, listed in zip(forest.trees, forest._tree_nodes, strict=True):
        if list(map(id, iterate_tree(tree))) != list(map(id, listed)):
            return False
    return True


def iterate_tree(tree: Any) -> Iterator[object]:
    """Iterate over the nodes of one of river's trees, depth first."""
    nodes: Iterator[object] = tree.iter_dfs()
    return nodes


def list_nodes(forest: HalfSpaceTrees) -> list[tuple[type, dict[str, Any]]]:
    """Return type and attributes of each node, tree by tree, depth first, without the children."""
    nodes = chain.from_iterable(map(iterate_tree, forest.trees))
    return [(type(node), vars(node) | {"children": ()}) for node in nodes]


def get_plain_attributes(forest: HalfSpaceTrees) -> dict[str, Any]:
    """Return the attributes of river's forest beside its nodes and its random generator."""
    others = {"trees", "_tree_nodes", "rng"}
    return {key: value for key, value in vars(forest).items() if key not in others}


def generate_events(count: int, missing_share: float, seed: int) -> list[FeatureValues]:
    """Generate random events, of which the first has all features.

    Args:
        count: Number of events.
        missing_share: Share of values that are missing in the other events, in [0, 1].
        seed: Seed of the generator.

    Returns:
        The features of each event, with values in [-0.1, 1.1].
    """
    generator = random.Random(seed)  # noqa: S311
    events: list[FeatureValues] = []
    for _ in range(count):
        event = {}
        for name in NAMES:
            value = generator.uniform(-0.1, 1.1)
            if not events or generator.random() >= missing_share:
                event[name] = value
        events.append(event)
    return events
