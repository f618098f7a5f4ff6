"""River's half-space trees as NumPy arrays.

Trees, masses and scores equal river's to the last bit, at about 1/100 of the time. This mirrors
`river.anomaly.hst` (river 0.26) operation by operation, because the order of floating-point
operations decides the last bit. The equivalence check compares the two before each use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Unpack

import numpy as np

from retraining_job.model.tree_growth import ForestParameters, GrownTrees, Unscale, grow_trees

FeatureValues = Mapping[str, float]
"""Feature values of one event by name, as river's `learn_one` and `score_one` take them."""

STOP_SHARE = 0.1
"""River's: scoring stops at a node with less than this share of a window's events."""

PAIRS_AT_ONCE = 32_000
"""Bounds the memory of learning and scoring: pairs of a row and a tree that are processed at a
time. Their arrays fit into a processor's cache."""


class ArrayForest:
    """A forest that learns and scores as `river.anomaly.HalfSpaceTrees` does.

    Args:
        names: The features that the trees split, sorted.
        trees: Trees that have learned nothing yet.
        parameters: The parameters with which they were grown.
    """

    def __init__(
        self, names: Sequence[str], trees: GrownTrees, parameters: ForestParameters
    ) -> None:
        self.names = tuple(names)
        self.features, self.thresholds, self.rng_state = trees
        self.n_trees, self.height = parameters["n_trees"], parameters["height"]
        self.window_size, self.seed = parameters["window_size"], parameters["seed"]
        self.l_mass = np.zeros((self.n_trees, 2 ** (self.height + 1) - 1), np.int32)
        """Shape (n_trees, n_nodes). Events of the present window that have passed each node."""
        self.r_mass = np.zeros_like(self.l_mass)
        """Same shape. Events of the last full window: the reference of the scores."""
        self.counter = 0
        """Events of the present window."""
        self.first_window = True

    @classmethod
    def grow(
        cls,
        names: Sequence[str],
        *,
        unscale: Unscale | None = None,
        **parameters: Unpack[ForestParameters],
    ) -> ArrayForest:
        """Create the forest that river creates at a first event with these features.

        Args:
            names: The features, sorted.
            unscale: Converts the thresholds, so that the trees take raw features.
            **parameters: The parameters of the forest.

        Returns:
            A forest that has learned nothing yet.

        Raises:
            ValueError: There is no feature, or a split has no range left, where river raises as
                well.
        """
        return cls(names, grow_trees(names, unscale, parameters), parameters)

    def learn_many(self, matrix: np.ndarray) -> None:
        """Learn events in order, with the same result as river's `learn_one` on each.

        A full window replaces the masses of the one before. Therefore only the last full window and
        the rows after it are counted.

        Args:
            matrix: Shape (n, n_features), float64, with columns as in `names`. NaN where an event
                lacks the feature.
        """
        full, counter = divmod(self.counter + len(matrix), self.window_size)
        if full:
            end = len(matrix) - counter
            if full > 1:  # The last full window does not contain the events counted so far.
                self.l_mass[:] = 0
            self._count_rows(matrix[max(0, end - self.window_size) : end])
            self.r_mass, self.l_mass = self.l_mass, np.zeros_like(self.l_mass)
            self.first_window = False
            matrix = matrix[end:]
        self._count_rows(matrix)
        self.counter = counter

    def score_many(self, matrix: np.ndarray) -> np.ndarray:
        """Compute the scores of events without learning them, as river's `score_one` on each.

        Args:
            matrix: Shape (n, n_features), float64, with columns as in `names`. NaN where an event
                lacks the feature.

        Returns:
            Shape (n,), float64. Higher means more anomalous; 0 until the first window is full.
        """
        if self.first_window:
            return np.zeros(len(matrix))
        greatest = self.n_trees * self.window_size * (2 ** (self.height + 1) - 1)
        step = self._rows_at_once
        chunks = (matrix[start : start + step] for start in range(0, len(matrix), step))
        sums = np.concatenate([np.empty(0), *map(self._sum_masses, chunks)])
        scores: np.ndarray = 1 - sums / greatest
        return scores

    def score_one(self, features: FeatureValues) -> float:
        """Compute the score of one event. Features that the trees do not split are ignored."""
        return float(self.score_many(build_matrix([features], self.names))[0])

    def equals(self, other: ArrayForest) -> bool:
        """Return whether both have the same trees, masses and position in the window."""
        if self.features.shape != other.features.shape:
            return False
        for name in ("names", "window_size", "counter", "first_window"):
            if getattr(self, name) != getattr(other, name):
                return False
        for name in ("features", "thresholds", "l_mass", "r_mass"):
            if not np.array_equal(getattr(self, name), getattr(other, name)):
                return False
        return True

    def _count_rows(self, rows: np.ndarray) -> None:
        """Add rows of one window, shape (n, n_features), to the window's masses.

        An event that lacks a feature follows the branch that more events of the window have taken
        before it. Therefore the rows before it must be counted first.
        """
        incomplete = np.flatnonzero(np.isnan(rows).any(axis=1))
        starts = np.unique(
            [*range(0, len(rows), self._rows_at_once), *incomplete, *(incomplete + 1), len(rows)]
        )
        masses = self.l_mass.reshape(-1)
        for start, end in pairwise(starts):
            block = rows[start:end]
            tree, row = np.indices((self.n_trees, len(block)), np.int32).reshape(2, -1)
            node = np.zeros_like(row)
            first = tree * np.int32(self.l_mass.shape[1])
            np.add.at(masses, first, np.int32(1))
            for _ in range(self.height):
                node = self._get_children(block, row, tree, node)
                np.add.at(masses, first + node, np.int32(1))

    def _sum_masses(self, rows: np.ndarray) -> np.ndarray:
        """Compute each row's sum of masses along its paths, weighted by 2^depth, shape (n,).

        A path ends early at a node that few events have passed (`STOP_SHARE`).
        """
        tree, row = np.indices((self.n_trees, len(rows)), np.int32).reshape(2, -1)
        node, pair = np.zeros_like(row), np.arange(len(row))
        sums = np.zeros(len(row))
        for depth in range(self.height + 1):
            mass = self.r_mass.take(tree * np.int32(self.r_mass.shape[1]) + node)
            sums[pair] += mass * 2.0**depth
            if depth < self.height:
                continues = np.flatnonzero(mass >= STOP_SHARE * self.window_size)
                row, tree = row.take(continues), tree.take(continues)
                node, pair = node.take(continues), pair.take(continues)
                node = self._get_children(rows, row, tree, node)
        # Like river, this adds one tree after the other. `sum` would add in another order.
        total: np.ndarray = np.add.accumulate(sums.reshape(self.n_trees, len(rows)))[-1]
        return total

    @property
    def _rows_at_once(self) -> int:
        """The number of rows whose paths through all trees are followed at a time."""
        return max(1, PAIRS_AT_ONCE // self.n_trees)

    def _get_children(
        self,
        rows: np.ndarray,
        row: np.ndarray,
        tree: np.ndarray,
        node: np.ndarray,
    ) -> np.ndarray:
        """Return the child node to which each pair of row and tree goes from its node.

        Args:
            rows: Shape (n, n_features), float64. Rows of feature values.
            row: Shape (n_pairs,), int32. The row of each pair, as an index into `rows`.
            tree: Shape (n_pairs,), int32. The tree of each pair.
            node: Shape (n_pairs,), int32. The inner node that each pair has reached.

        Returns:
            Shape (n_pairs,), int32.
        """
        split = tree * np.int32(self.features.shape[1]) + node
        value = rows.take(row * np.int32(rows.shape[1]) + self.features.take(split))
        right = ~(value < self.thresholds.take(split))
        left_child = 2 * node + 1
        missing = np.flatnonzero(np.isnan(value))
        if len(missing):
            trees, left = tree[missing], left_child[missing]
            right[missing] = self.l_mass[trees, left] < self.l_mass[trees, left + 1]
        child: np.ndarray = left_child + right
        return child


def build_matrix(events: Sequence[FeatureValues], names: Sequence[str]) -> np.ndarray:
    """Build the matrix for an array forest.

    Args:
        events: The features of each event.
        names: The features of the columns.

    Returns:
        Shape (n_events, n_names), float64. NaN where an event lacks the feature. A value that is
        NaN becomes infinity, because both go right in river.
    """
    matrix = np.empty((len(events), len(names)))
    for row, event in enumerate(events):
        matrix[row] = [event.get(name, np.nan) for name in names]
    for row, column in np.argwhere(np.isnan(matrix)):
        if names[column] in events[row]:
            matrix[row, column] = np.inf
    return matrix
