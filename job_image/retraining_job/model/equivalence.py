"""Proves on small forests that the fast way gives what the installed river gives. Asked by `forest` before each use.

Fast are two things: a forest in arrays instead of nodes (`trees`), and a pickle that is written
    without making nodes (`emitter`). Both lean on how river works inside, which another release may
    change without a word.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from retraining_job.model.array_forest import ArrayForest, Shape, matrix_of
from retraining_job.model.nodes import nodes_of
from retraining_job.model.pickle_writer import emitted
from retraining_job.model.river_import import half_space_trees

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees

    from retraining_job.events.features import Features


class Case(NamedTuple):
    """A small forest and how many events it learns."""

    n_trees: int
    height: int
    window_size: int
    events: int
    gaps: float
    """The share of values that is missing."""


CASES = (
    Case(n_trees=3, height=5, window_size=8, events=45, gaps=0.0),
    Case(n_trees=2, height=4, window_size=10, events=37, gaps=0.3),
    Case(n_trees=1, height=1, window_size=3, events=2, gaps=0.0),
)
NAMES = ("amount", "hour", "risk")
EVENTS_AFTER = 20


def prove() -> str | None:
    """Compare both ways; None where nothing differs, else what does, as the end of a sentence."""
    try:
        for seed, case in enumerate(CASES):
            if difference := compared(case, seed):
                return f"the forest that this trainer builds differs from that of the installed river in {difference}"
    except Exception as error:  # noqa: BLE001  # whatever another release does, there is the plain way
        return f"its comparison with the installed river failed ({type(error).__name__}: {error})"
    return None


def compared(case: Case, seed: int) -> str | None:
    """Train one small forest both ways, write and read it, and let it learn on; None where nothing differs."""
    events = made_up(case.events + EVENTS_AFTER, case.gaps, seed)
    learned, after = events[: case.events], events[case.events :]
    shape = Shape(n_trees=case.n_trees, height=case.height, window_size=case.window_size, seed=seed)
    rivers = half_space_trees()(**shape)
    for event in learned:
        rivers.learn_one(event)  # type: ignore[no-untyped-call]
    forest = ArrayForest.grown(NAMES, **shape)
    forest.learn(matrix_of(learned, NAMES))
    read = pickle.loads(emitted(forest, None))["hst"]  # noqa: S301  # written a moment ago
    if difference := unlike(rivers, forest, after) or unlike_pickle(rivers, read):
        return difference
    for event in after:
        rivers.learn_one(event)  # type: ignore[no-untyped-call]
        read.learn_one(event)
    forest.learn(matrix_of(after, NAMES))
    return unlike(rivers, forest, after) or unlike_pickle(rivers, read)


def unlike(rivers: HalfSpaceTrees, forest: ArrayForest, events: list[Features]) -> str | None:
    """Name the first thing in which the forest in arrays differs from river's."""
    if any(ours != theirs for ours, theirs in zip_longest(nodes_of(forest), nodes_of(rivers))):
        return "its nodes"
    if forest.rng_state != rivers.rng.getstate():
        return "its random generator"
    if (forest.counter, forest.first_window) != (rivers.counter, rivers._first_window):
        return "its counters"
    scores = forest.scores(matrix_of(events, NAMES)).tolist()
    if scores != [rivers.score_one(event) for event in events]:  # type: ignore[no-untyped-call]
        return "its scores"
    return None


def unlike_pickle(rivers: HalfSpaceTrees, read: HalfSpaceTrees) -> str | None:
    """Name the first thing in which the forest read back from our pickle differs from river's."""
    if type(read) is not type(rivers) or list(vars(read)) != list(vars(rivers)):
        return "what its pickle holds"
    nodes = [
        [
            (type(node), vars(node) | {"children": ()})
            for tree in one.trees
            for node in tree.iter_dfs()  # type: ignore[no-untyped-call]
        ]
        for one in (rivers, read)
    ]
    if nodes[0] != nodes[1]:
        return "the nodes that its pickle holds"
    listed = [[id(node) for node in tree.iter_dfs()] for tree in read.trees]  # type: ignore[no-untyped-call]
    if listed != [[id(node) for node in tree] for tree in read._tree_nodes]:
        return "the order of the nodes that its pickle holds"
    left, right = (
        {
            key: value
            for key, value in vars(one).items()
            if key not in {"trees", "_tree_nodes", "rng"}
        }
        for one in (rivers, read)
    )
    if left != right or rivers.rng.getstate() != read.rng.getstate():
        return "the settings that its pickle holds"
    return None


def made_up(count: int, gaps: float, seed: int) -> list[Features]:
    """Make events up; the first has all features."""
    generator = random.Random(seed)  # noqa: S311

    def values() -> Iterator[tuple[str, float]]:
        return ((name, generator.uniform(-0.1, 1.1)) for name in NAMES)

    return [
        {name: value for name, value in values() if not i or generator.random() >= gaps}
        for i in range(count)
    ]
