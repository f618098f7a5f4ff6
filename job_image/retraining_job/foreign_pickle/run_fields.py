"""The fields of many groups of opcodes, read one after the other for all groups at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from retraining_job.foreign_pickle.boxed_values import Global
from retraining_job.model.state_schema import WINDOW_LIMIT

if TYPE_CHECKING:
    from retraining_job.foreign_pickle.box import Box

PADDING = bytes(16)
"""Follows the groups, so that a field at their end can be read with more bytes than it has."""


def build_table(values: dict[bytes, int], dtype: type) -> np.ndarray:
    """Build a table of values by opcode.

    Args:
        values: The values by opcode.
        dtype: Their type.

    Returns:
        Shape (256,). 0 for all other opcodes.
    """
    table: np.ndarray = np.zeros(256, dtype)
    for opcode, value in values.items():
        table[opcode[0]] = value
    return table


ARGUMENT_BYTES = build_table({b"h": 1, b"j": 4, b"K": 1, b"M": 2, b"J": 4}, np.int64)
"""Length of the argument of the opcodes that fetch, and of numbers."""
PUT_BYTES = build_table({b"\x94": 1, b"q": 2, b"r": 5}, np.int64)
"""Length of the opcodes that store a value in the memo, with their argument."""
MASKS = np.array([0, 0xFF, 0xFFFF, 0, 0xFFFFFFFF], np.uint32)
"""Selects the argument of a length from four bytes."""


class Puts(NamedTuple):
    """Opcodes that store a value in the memo.

    Args:
        is_put: Shape (n,), bool. Whether the group has one.
        place: Shape (n,), int64. The place, -1 if it is the next one.
    """

    is_put: np.ndarray
    place: np.ndarray


class Masses(NamedTuple):
    """The two masses of nodes.

    Args:
        left: Shape (n,), int64.
        right: Shape (n,), int64.
        good: Shape (n,), bool. Whether the group sets these two masses to possible values.
    """

    left: np.ndarray
    right: np.ndarray
    good: np.ndarray


class GroupFields:
    """A position in each of many groups.

    Args:
        data: The groups.
        ends: Shape (n,), int64. The end of each group.
    """

    def __init__(self, data: bytes, ends: np.ndarray) -> None:
        padded = data + PADDING
        self.bytes = np.frombuffer(padded, np.uint8)
        # Views the four bytes at each position as a number.
        self.numbers: np.ndarray = np.ndarray((len(padded) - 4,), "<u4", padded, strides=(1,))
        self.floats: np.ndarray = np.ndarray((len(padded) - 8,), ">f8", padded, strides=(1,))
        self.ends = ends
        self.at = np.concatenate([ends[:0], [0], ends[:-1]])[: len(ends)]

    def select(self, which: np.ndarray) -> GroupFields:
        """Return the position in some of the groups.

        Args:
            which: Shape (n_selected,), intp. The groups.

        Returns:
            The same bytes with other positions.
        """
        selected = object.__new__(GroupFields)
        selected.bytes, selected.numbers, selected.floats = self.bytes, self.numbers, self.floats
        selected.ends, selected.at = self.ends[which], self.at[which]
        return selected

    @property
    def opcodes(self) -> np.ndarray:
        """The byte at each position, shape (n,), uint8."""
        opcodes: np.ndarray = self.bytes[self.at]
        return opcodes

    def skip(self, length: int) -> None:
        """Go on by some bytes."""
        self.at = self.at + length

    def take(self) -> np.ndarray:
        """Read the argument of an opcode that fetches, or of a number, shape (n,), int64."""
        length = ARGUMENT_BYTES[self.opcodes]
        values: np.ndarray = (self.numbers[self.at + 1] & MASKS[length]).astype(np.int64)
        self.at = self.at + 1 + length
        return values

    def take_float(self) -> np.ndarray:
        """Read the argument of the opcode of a floating-point number, shape (n,), float64."""
        values: np.ndarray = self.floats[self.at + 1].astype(np.float64)
        self.at = self.at + 9
        return values

    def take_put(self) -> Puts:
        """Read the opcode that stores a value in the memo, if there is one."""
        length = PUT_BYTES[self.opcodes]
        argument = self.numbers[self.at + 1] & MASKS[np.maximum(length - 1, 0)]
        self.at = self.at + length
        return Puts(length > 0, np.where(length > 1, argument.astype(np.int64), -1))


def read_masses(box: Box, fields: GroupFields) -> Masses:
    """Read names and values of two masses.

    Args:
        box: The box.
        fields: The position in the groups.

    Returns:
        The masses.
    """
    name, one = look_up_texts(box, fields.take()), fields.take()
    other_name, other = look_up_texts(box, fields.take()), fields.take()
    is_left = name == LEFT
    good = (is_left & (other_name == RIGHT)) | ((name == RIGHT) & (other_name == LEFT))
    good &= (one <= WINDOW_LIMIT) & (other <= WINDOW_LIMIT)
    return Masses(np.where(is_left, one, other), np.where(is_left, other, one), good)


UNKNOWN, LEFT, RIGHT, CHILDREN, FEATURE, THRESHOLD = range(-1, 5)
TEXTS = {
    "l_mass": LEFT,
    "r_mass": RIGHT,
    "children": CHILDREN,
    "feature": FEATURE,
    "threshold": THRESHOLD,
}


def look_up_texts(box: Box, places: np.ndarray) -> np.ndarray:
    """Look up names of attributes in the memo.

    Args:
        box: The box.
        places: Shape (n,), int64. Places in the memo.

    Returns:
        Shape (n,), int64. Values of `TEXTS`, or `UNKNOWN`.
    """
    return look_up(
        box, places, lambda value: TEXTS.get(value, UNKNOWN) if type(value) is str else UNKNOWN
    )


def look_up_classes(box: Box, places: np.ndarray, names: list[str]) -> np.ndarray:
    """Look up classes in the memo.

    Args:
        box: The box.
        places: Shape (n,), int64. Places in the memo.
        names: The names of the classes.

    Returns:
        Shape (n,), int64. Indexes into the names, or `UNKNOWN`.
    """
    return look_up(
        box,
        places,
        lambda value: (
            names.index(value.name) if type(value) is Global and value.name in names else UNKNOWN
        ),
    )


def look_up(box: Box, places: np.ndarray, convert: Callable[[object], int]) -> np.ndarray:
    """Look up values in the memo.

    Args:
        box: The box.
        places: Shape (n,), int64. Places in the memo.
        convert: Returns a number for a value.

    Returns:
        Shape (n,), int64. The numbers, `UNKNOWN` for a node and where the memo has no value.
    """
    if not len(places):
        return places
    if (places == places[0]).all():
        return np.full(len(places), convert(box.memo.objects.get(int(places[0]))))
    different, index = np.unique(places, return_inverse=True)
    numbers = [convert(box.memo.objects.get(place)) for place in different.tolist()]
    return np.array(numbers, np.int64)[index]
