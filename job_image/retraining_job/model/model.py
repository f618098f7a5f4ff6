"""The model: a forest and a deviation score, with scoring and comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.nodes import get_feature_values, iterate_nodes

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees


class UnreadableModelError(Exception):
    """A model cannot be read. The text is a clause that says why, for the end of a sentence."""


@dataclass(frozen=True)
class Model:
    """A forest and a deviation score."""

    hst: ArrayForest | HalfSpaceTrees
    """An array forest if this trainer has trained it, or read it from a state or a pickle. River's
    own forest if river had to train it."""
    sad: StandardAbsoluteDeviation

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features that the forest splits, sorted; none if it has not learned anything yet."""
        if isinstance(self.hst, ArrayForest):
            return self.hst.names
        # River's `limits` is a defaultdict: growing the trees looks up each feature, which adds it.
        return tuple(sorted(map(str, self.hst.limits)))


def compute_forest_scores(model: Model, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """Compute the scores of events by the forest alone. The forest does not learn them.

    Args:
        model: The model, with either kind of forest.
        names: The features of the columns, in any order. Those that the forest does not split are
            ignored.
        matrix: Shape (n_events, n_names), float64, raw values. NaN where an event lacks the
            feature.

    Returns:
        Shape (n_events,), float64. Higher means more anomalous.
    """
    if isinstance(model.hst, ArrayForest):
        return model.hst.score_many(select_columns(model.hst.names, names, matrix))
    events = (get_feature_values(names, row) for row in matrix)
    scores = (model.hst.score_one(event) for event in events)
    return np.fromiter(scores, np.float64, len(matrix))


def compute_deviation_scores(model: Model, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """Compute the scores of events by the deviation score alone.

    Args:
        model: The model.
        names: The features of the columns, in any order.
        matrix: Shape (n_events, n_names), float64, raw values. NaN where an event lacks the
            feature.

    Returns:
        Shape (n_events,), float64 in [0, 1]. Higher means more anomalous.
    """
    return model.sad.scores(select_columns([model.sad.feature], names, matrix)[:, 0])


def select_columns(wanted: Sequence[str], names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """Select columns of a matrix by name.

    Args:
        wanted: The features to select, in the order of the result.
        names: The features of the columns.
        matrix: Shape (n, n_names), float64.

    Returns:
        Shape (n, n_wanted), float64. A column is NaN if the matrix has no feature of its name.
    """
    if tuple(wanted) == tuple(names):
        return matrix
    index_by_name = {name: index for index, name in enumerate(names)}
    selected = np.full((len(matrix), len(wanted)), np.nan)
    for column, name in enumerate(wanted):
        if name in index_by_name:
            selected[:, column] = matrix[:, index_by_name[name]]
    return selected


def are_identical(one: Model, other: Model) -> bool:
    """Return whether two models score every event alike now and after learning more.

    Args:
        one: A model.
        other: Another one.

    Returns:
        True if trees, masses and deviation scores are equal.
    """
    if vars(one.sad) != vars(other.sad):
        return False
    if isinstance(one.hst, ArrayForest) and isinstance(other.hst, ArrayForest):
        return one.hst.equals(other.hst)
    shapes = [
        (hst.n_trees, hst.height, hst.window_size, hst.counter) for hst in (one.hst, other.hst)
    ]
    if shapes[0] != shapes[1]:
        return False
    pairs = zip_longest(iterate_nodes(one.hst), iterate_nodes(other.hst))
    return all(ours == theirs for ours, theirs in pairs)
