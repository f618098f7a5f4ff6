"""The nodes of the trees in a pickle, as numbers in flat arrays instead of objects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from retraining_job.model.model import UnreadableModelError
from retraining_job.model.state_schema import NAMES_LIMIT, NODE_LIMIT, WINDOW_LIMIT

CHUNK = 1 << 12
"""Nodes for which room is made at first."""


class NodeIndex(int):
    """A node: its index in the arrays, as a type of its own."""

    __slots__ = ()


class BoxedNodes:
    """The nodes in the order in which the pickle creates them.

    Every number is -1, and every threshold NaN, until the pickle sets it.
    """

    def __init__(self) -> None:
        self.count = 0
        self.is_branch = np.zeros(0, np.bool_)
        self.left, self.right = np.zeros((2, 0), np.int32)
        self.features, self.thresholds = np.zeros(0, np.int32), np.zeros(0)
        self.l_mass, self.r_mass = np.zeros((2, 0), np.int32)
        self.names: dict[str, int] = {}
        """The features that the nodes split, with the numbers that stand for them."""

    def create(self, *, is_branch: bool) -> NodeIndex:
        """Create a node without attributes.

        Args:
            is_branch: Whether it is a branch, otherwise a leaf.

        Returns:
            The node.

        Raises:
            UnreadableModelError: There are too many nodes.
        """
        self.create_many(np.array([is_branch]))
        return NodeIndex(self.count - 1)

    def create_many(self, is_branch: np.ndarray) -> None:
        """Create nodes without attributes.

        Args:
            is_branch: Shape (n,), bool. Whether each is a branch, otherwise a leaf.

        Raises:
            UnreadableModelError: There are too many nodes.
        """
        start, self.count = self.count, self.count + len(is_branch)
        if self.count > NODE_LIMIT:
            raise UnreadableModelError(f"its trees have more than {NODE_LIMIT:,} nodes")
        if self.count > len(self.is_branch):
            self.make_room(max(CHUNK, self.count + self.count // 2))
        self.is_branch[start : self.count] = is_branch

    def make_room(self, capacity: int) -> None:
        """Make room for nodes.

        Args:
            capacity: For how many in total.
        """
        added = capacity - len(self.is_branch)
        for name in ("is_branch", "left", "right", "features", "l_mass", "r_mass", "thresholds"):
            numbers = getattr(self, name)
            fill = np.nan if name == "thresholds" else -1
            setattr(self, name, np.append(numbers, np.full(added, fill, numbers.dtype)))

    def set_attributes(self, node: int, attributes: Mapping[object, object]) -> None:
        """Set attributes of a node. An attribute that is set again is replaced.

        Args:
            node: The node.
            attributes: The values by name.

        Raises:
            UnreadableModelError: A node has no such attribute, or its value is not possible.
        """
        is_branch = self.is_branch[node]
        for name, value in attributes.items():
            if name == "l_mass":
                self.l_mass[node] = check_mass(value)
            elif name == "r_mass":
                self.r_mass[node] = check_mass(value)
            elif name == "children" and is_branch:
                self.left[node], self.right[node] = check_children(value)
            elif name == "feature" and is_branch:
                self.features[node] = self.number_feature(value)
            elif name == "threshold" and is_branch:
                self.thresholds[node] = check_threshold(value)
            else:
                raise UnreadableModelError(
                    "a node of its trees has an attribute that river's nodes do not have"
                )

    def number_feature(self, name: object) -> int:
        """Return the number that stands for a feature.

        Args:
            name: Its name.

        Returns:
            The number.

        Raises:
            UnreadableModelError: The name is no text, or there are too many features.
        """
        if type(name) is not str:
            raise UnreadableModelError("a node of its trees splits a feature whose name is no text")
        number = self.names.setdefault(name, len(self.names))
        if number >= NAMES_LIMIT:
            raise UnreadableModelError(f"its trees split more than {NAMES_LIMIT:,} features")
        return number

    def find_feature(self, name: object) -> int:
        """Return the number that stands for a feature, or -1 if it is no name of a feature.

        Args:
            name: Its name.

        Raises:
            UnreadableModelError: There are too many features.
        """
        return self.number_feature(name) if type(name) is str else -1


def check_mass(value: object) -> int:
    """Return the mass of a node.

    Raises:
        UnreadableModelError: It is no number of events.
    """
    if type(value) is not int or not 0 <= value <= WINDOW_LIMIT:
        raise UnreadableModelError(
            f"the mass of a node in its trees is not a whole number from 0 to {WINDOW_LIMIT:,}"
        )
    return value


def check_children(value: object) -> tuple[NodeIndex, NodeIndex]:
    """Return the two children of a branch.

    Raises:
        UnreadableModelError: They are not two nodes.
    """
    if type(value) is not tuple or [type(child) for child in value] != [NodeIndex, NodeIndex]:
        raise UnreadableModelError("a branch of its trees does not have two nodes as its children")
    return value


def check_threshold(value: object) -> float:
    """Return the threshold of a branch.

    Raises:
        UnreadableModelError: It is not a finite number.
    """
    number = to_finite_float(value)
    if number is None:
        raise UnreadableModelError("a threshold in its trees is not a finite number")
    return number


def to_finite_float(value: object) -> float | None:
    """Convert a number to a float. Returns None if the value is not a finite number."""
    if type(value) is int and abs(value) < 1 << 1000:
        value = float(value)
    # The difference is NaN for an infinity and for NaN. math.isfinite would cost a call.
    if type(value) is float and value - value == 0.0:
        return value
    return None
