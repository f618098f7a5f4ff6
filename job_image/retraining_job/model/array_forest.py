"""River's half-space trees as arrays: the same trees, masses and scores, bit for bit, in a hundredth of the time. Pure.

The trees are full and binary, and their nodes stand level by level: the children of node i are 2i +
    1 and 2i + 2. What is mirrored here is `river.anomaly.hst` and `river.tree.padded` of river
    0.26, operation for operation, since the order of floating-point operations decides the last
    bit. `proof` compares the two before anybody relies on it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypedDict, Unpack

import numpy as np

Unscale = Callable[[str, np.ndarray], np.ndarray]
"""Turns thresholds of the feature of that name, in [0, 1], into raw ones; it must keep their order."""

PADDING = 0.15
"""River's: how much of a feature's range, at either end, no split falls into."""

STOP_SHARE = 0.1
"""River's: a node with less than this share of a window's events is not looked below when scoring."""

CHUNK_ROWS = 1_024
GROWN_AT_ONCE = 1 << 18
"""Bounds of what is held in passing: rows scored or learned, and limits of nodes grown, at a time."""


class Shape(TypedDict):
    """What river's forest is made with, under its names."""

    n_trees: int
    height: int
    """From the root down to the leaves, 1 at least."""
    window_size: int
    """Events in a window."""
    seed: int


class ArrayForest:
    """A forest that learns and scores as `river.anomaly.HalfSpaceTrees` does."""

    def __init__(
        self,
        names: Sequence[str],
        splits: tuple[np.ndarray, np.ndarray],
        rng_state: tuple[object, ...],
        shape: Shape,
    ) -> None:
        """Take trees that have learned nothing yet: each inner node's feature and threshold, (trees, 2^height - 1)."""
        self.names = tuple(names)
        self.features, self.thresholds = splits
        self.n_trees, self.height, self.window_size = (
            shape["n_trees"],
            shape["height"],
            shape["window_size"],
        )
        self.seed, self.rng_state = shape["seed"], rng_state
        self.l_mass = np.zeros((self.n_trees, 2 ** (self.height + 1) - 1), np.int32)
        """Events of the present window that have passed each node."""
        self.r_mass = np.zeros_like(self.l_mass)
        """Those of the last full window: the reference of the scores."""
        self.counter = 0
        self.first_window = True

    @classmethod
    def grown(
        cls, names: Sequence[str], *, unscale: Unscale | None = None, **shape: Unpack[Shape]
    ) -> ArrayForest:
        """Grow the trees that river grows from this seed at a first event with these features, all limits [0, 1].

        River draws two numbers for each inner node, depth first. Its generator is Python's, and
        numpy has the same.

        Args:
            names: the features, sorted.
            unscale: writes a scaling of the features into the trees, which then take raw features.
            **shape: the rest.

        Raises:
            ValueError: there is no feature, or a split has nothing left to split, where river
                raises as well.
        """
        if not names:
            raise ValueError("A forest needs one feature at least.")
        generator, python_generator = np.random.RandomState(0), random.Random(shape["seed"])  # noqa: S311  # as river
        version, words, gauss = python_generator.getstate()
        generator.set_state(
            {"bit_generator": "MT19937", "state": {"key": words[:-1], "pos": words[-1]}}
        )
        n_trees, inner = shape["n_trees"], 2 ** shape["height"] - 1
        features, thresholds = np.empty((n_trees, inner), np.int16), np.empty((n_trees, inner))
        order = depth_first(shape["height"])
        step = max(1, GROWN_AT_ONCE // (inner * len(names)))
        for start in range(0, n_trees, step):
            draws = generator.random_sample((min(step, n_trees - start), inner, 2))[:, order]
            features[start : start + step], thresholds[start : start + step] = splits(
                draws, len(names)
            )
        if unscale is not None:
            for index, name in enumerate(names):
                thresholds[features == index] = unscale(name, thresholds[features == index])
        after = generator.get_state(legacy=False)["state"]
        rng_state = (version, (*after["key"].tolist(), after["pos"]), gauss)
        return cls(names, (features, thresholds), rng_state, shape)

    def learn(self, matrix: np.ndarray) -> None:
        """Learn events in their order, as river's `learn_one` on each.

        A full window replaces the masses of the one before. So of many windows only the last full
        one is looked at, and what follows it.

        Args:
            matrix: (events, features), in the order of `names`; NaN where an event has not the
                feature.
        """
        full, counter = divmod(self.counter + len(matrix), self.window_size)
        if full:
            end = len(matrix) - counter
            if full > 1:
                self.l_mass[:] = 0
            self._count(matrix[max(0, end - self.window_size) : end])
            self.r_mass, self.l_mass = self.l_mass, np.zeros_like(self.l_mass)
            self.first_window = False
            matrix = matrix[end:]
        self._count(matrix)
        self.counter = counter

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """Score events without learning them, as river's `score_one` on each: (events,), high for an anomaly.

        Args:
            matrix: (events, features), in the order of `names`; NaN where an event has not the
                feature.
        """
        if self.first_window:
            return np.zeros(len(matrix))
        greatest = self.n_trees * self.window_size * (2 ** (self.height + 1) - 1)
        chunks = (matrix[start : start + CHUNK_ROWS] for start in range(0, len(matrix), CHUNK_ROWS))
        sums = np.concatenate([np.empty(0), *map(self._sums, chunks)])
        scores: np.ndarray = 1 - sums / greatest
        return scores

    def score_one(self, features: Mapping[str, float]) -> float:
        """Score one event; features that the trees do not know count for nothing."""
        return float(self.scores(matrix_of([features], self.names))[0])

    def equals(self, other: ArrayForest) -> bool:
        """Tell whether both have the same trees and masses and are at the same place of a window."""
        mine, theirs = (
            (one.names, one.features.shape, one.window_size, one.counter, one.first_window)
            for one in (self, other)
        )
        arrays = ("features", "thresholds", "l_mass", "r_mass")
        return mine == theirs and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays
        )

    def _count(self, rows: np.ndarray) -> None:
        """Add the rows of one window to its masses.

        An event that lacks a feature goes where more have gone before it in the window, so it waits
        for its turn.
        """
        incomplete = np.flatnonzero(np.isnan(rows).any(axis=1))
        starts = np.unique(
            [*range(0, len(rows), CHUNK_ROWS), *incomplete, *(incomplete + 1), len(rows)]
        )
        masses = self.l_mass.reshape(-1)
        for start, end in pairwise(starts):
            block = rows[start:end]
            row, tree = (axis.reshape(-1) for axis in np.indices((len(block), self.n_trees)))
            node = np.zeros_like(row)
            first = tree * self.l_mass.shape[1]
            np.add.at(masses, first, np.int32(1))
            for _ in range(self.height):
                node = self._below(block, row, tree, node)
                np.add.at(masses, first + node, np.int32(1))

    def _sums(self, rows: np.ndarray) -> np.ndarray:
        """Sum up each row's masses over its paths, weighted by depth; a path ends early where few events went."""
        row, tree = (axis.reshape(-1) for axis in np.indices((len(rows), self.n_trees)))
        node, pair = np.zeros_like(row), np.arange(len(row))
        sums = np.zeros(len(row))
        for depth in range(self.height + 1):
            mass = self.r_mass[tree, node]
            sums[pair] += mass * 2.0**depth
            if depth < self.height:
                on = mass >= STOP_SHARE * self.window_size
                row, tree, node, pair = row[on], tree[on], node[on], pair[on]
                node = self._below(rows, row, tree, node)
        return np.add.accumulate(sums.reshape(len(rows), self.n_trees), axis=1)[
            :, -1
        ]  # one tree after the other

    def _below(
        self,
        rows: np.ndarray,
        row: np.ndarray,
        tree: np.ndarray,
        node: np.ndarray,
    ) -> np.ndarray:
        """Give the child that each (row, tree) goes to from its node."""
        split = tree * self.features.shape[1] + node
        value = rows[row, self.features.reshape(-1)[split]]
        right = ~(value < self.thresholds.reshape(-1)[split])
        left_child = 2 * node + 1
        missing = np.flatnonzero(np.isnan(value))
        if len(missing):
            trees, left = tree[missing], left_child[missing]
            right[missing] = self.l_mass[trees, left] < self.l_mass[trees, left + 1]
        child: np.ndarray = left_child + right
        return child


def matrix_of(events: Sequence[Mapping[str, float]], names: Sequence[str]) -> np.ndarray:
    """Put events into rows: NaN where one has not a feature; a NaN that it has goes right in river, as inf does."""
    matrix = np.array([[event.get(name, np.nan) for name in names] for event in events], np.float64)
    matrix = matrix.reshape(len(events), len(names))
    for row, column in np.argwhere(np.isnan(matrix)):
        if names[column] in events[row]:
            matrix[row, column] = np.inf
    return matrix


def splits(draws: np.ndarray, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each inner node's feature and threshold, as river's `make_padded_tree` chooses them.

    A feature is drawn in proportion to the width of its limits at the node (`random.choices`:
    running sums, bisected), then a threshold between its padded limits (`random.uniform`). Those
    limits end at the threshold below.

    Args:
        draws: (trees, nodes, 2) numbers of the generator, nodes level by level.
        n_features: how many there are.
    """
    n_trees, inner, _ = draws.shape
    features, thresholds = np.empty((n_trees, inner), np.int16), np.empty((n_trees, inner))
    low, high = np.zeros((n_features, n_trees)), np.ones((n_features, n_trees))
    for level in range(inner.bit_length()):
        nodes = slice(2**level - 1, 2 ** (level + 1) - 1)
        choice, position = draws[:, nodes].reshape(-1, 2).T
        sums = np.cumsum(high - low, axis=0)
        if not (sums[-1] > 0.0).all():
            raise ValueError("The trees are too high: a split has nothing left to split.")
        chosen = np.count_nonzero(sums[:-1] <= choice * sums[-1], axis=0)
        column = np.arange(len(chosen))
        a, b = low[chosen, column], high[chosen, column]
        start, end = a + PADDING * (b - a), b - PADDING * (b - a)
        at = start + (end - start) * position
        features[:, nodes], thresholds[:, nodes] = (
            chosen.reshape(n_trees, -1),
            at.reshape(n_trees, -1),
        )
        low, high = np.repeat(low, 2, axis=1), np.repeat(high, 2, axis=1)
        high[chosen, 2 * column] = at  # the left child's
        low[chosen, 2 * column + 1] = at
    return features, thresholds


def depth_first(levels: int) -> np.ndarray:
    """Give, for each node of a full binary tree taken level by level, its place in depth-first order."""
    order = np.zeros(2**levels - 1, np.intp)
    for level in range(levels - 1):
        first, below = 2**level - 1, 2 ** (levels - level - 1) - 1
        parents = order[first : 2 * first + 1]
        order[2 * first + 1 : 4 * first + 3 : 2] = parents + 1
        order[2 * first + 2 : 4 * first + 3 : 2] = parents + 1 + below
    return order
