"""The machine for which a pickle is a program. It imports, calls and creates nothing.

What a pickle imports, calls and creates becomes a record. Memory is proportional to the length of
the pickle, because there are limits to all that an opcode can create beyond its own length.
"""

from __future__ import annotations

import pickle

from retraining_job.foreign_pickle.boxed_nodes import BoxedNodes, NodeIndex
from retraining_job.foreign_pickle.boxed_values import (
    BRANCH,
    CALLED,
    CREATED,
    DEFAULTDICT,
    LEAF,
    PARTIAL,
    TUPLE,
    Global,
    Instance,
    find_global,
)
from retraining_job.foreign_pickle.memo import BoxMemo
from retraining_job.foreign_pickle.stack import PickleStack
from retraining_job.model.model import UnreadableModelError

BYTES_FOR_OBJECT = 12
"""A pickle has at most one text or container for so many of its bytes. Those of a forest have one
for 19 bytes or more, because most of them are nodes, which are stored in arrays."""

BYTES_FOR_PLACE = 4
"""A pickle uses at most one place of the memo for so many of its bytes. Those of a forest have one
for 8 bytes or more."""

FREE_OBJECTS = 10_000
"""Texts, containers and places of the memo that a pickle may use, however short it is."""

FRAME_HEAD_BYTES = 9

ATTRIBUTE_LIMIT = 100
"""Most attributes of an object that is not a node."""


class Box(PickleStack):
    """A machine for one pickle.

    Args:
        data: The pickle.
        deviation_class: Full name under which the live service imports the deviation score.
    """

    def __init__(self, data: bytes, deviation_class: str) -> None:
        super().__init__(FREE_OBJECTS + len(data) // BYTES_FOR_OBJECT)
        self.data = data
        self.deviation_class = deviation_class
        self.memo = BoxMemo(FREE_OBJECTS + len(data) // BYTES_FOR_PLACE)
        self.nodes = BoxedNodes()

    def skip_frames(self) -> None:
        """Remove the heads of frames, if the pickle consists of frames only.

        They serve a reader of a stream. A frame can begin inside of a node, which the box would
        have to interpret opcode by opcode.
        """
        start, position, parts = 2, 2, []
        while self.data[position : position + 1] == pickle.FRAME:
            start = position + FRAME_HEAD_BYTES
            position = start + int.from_bytes(self.data[position + 1 : start], "little")
            parts.append(self.data[start:position])
        if parts and position == len(self.data):
            self.data = b"".join((self.data[:2], *parts))

    def read(self, length: int) -> bytes:
        """Read the next bytes.

        Args:
            length: How many.

        Returns:
            The bytes.

        Raises:
            UnreadableModelError: The pickle ends before.
        """
        start = self.position
        if length > len(self.data) - start:
            raise UnreadableModelError(
                "it is not a complete pickle: it ends inside of a value, after "
                f"{len(self.data):,} bytes"
            )
        self.position = start + length
        return self.data[start : self.position]

    def read_number(self, length: int) -> int:
        """Read a whole number without a sign, least significant byte first.

        Args:
            length: Its length in bytes.

        Returns:
            The number.
        """
        return int.from_bytes(self.read(length), "little")

    def store(self, place: int) -> None:
        """Store the value on top of the stack in the memo.

        Args:
            place: The place. Places are used one after the other.

        Raises:
            UnreadableModelError: It is another place than the next.
        """
        if place != len(self.memo):
            raise UnreadableModelError(
                f"it is not a pickle of a model: it stores a value in place {place:,} of its memo, "
                f"whose next place is {len(self.memo):,}"
            )
        self.memo.append(self.top())

    def fetch(self, place: int) -> None:
        """Push a value of the memo.

        Args:
            place: Its place.
        """
        self.push(self.memo.get(place))

    def name(self, module: object, name: object) -> None:
        """Push the record of a class or function.

        Args:
            module: Full name of its module.
            name: Its name in the module.
        """
        if type(module) is not str or type(name) is not str:
            self.fail()
        self.push_new(find_global(module, name, self.deviation_class))

    def call(self) -> None:
        """Replace a class and its arguments by the record of the object that it would return.

        Raises:
            UnreadableModelError: No pickle of a model calls it.
        """
        arguments, function = self.pop(), self.pop()
        if type(function) is not Global or type(arguments) is not tuple:
            self.fail()
        if function.name not in CALLED or len(arguments) > 1:
            raise UnreadableModelError(f"it calls {function.name}, as no pickle of a model does")
        is_pair = bool(arguments) and type(arguments[0]) is Global and arguments[0].name == TUPLE
        if function.name == PARTIAL and not is_pair:
            raise UnreadableModelError(f"it calls {PARTIAL} with something else than {TUPLE}")
        self.push_new(Instance(function.name))

    def create(self) -> None:
        """Replace a class and no arguments by a node, or by the record of an object.

        Raises:
            UnreadableModelError: No pickle of a model creates such an object.
        """
        arguments, kind = self.pop(), self.pop()
        if type(kind) is not Global or arguments != ():
            self.fail()
        if kind.name in {BRANCH, LEAF}:
            self.push(self.nodes.create(is_branch=kind.name == BRANCH))
        elif kind.name in CREATED:
            self.push_new(Instance(kind.name))
        else:
            raise UnreadableModelError(f"it creates {kind.name}, as no pickle of a model does")

    def set_attributes(self) -> None:
        """Set the attributes of the object below them on the stack.

        Raises:
            UnreadableModelError: It is no object, or has its attributes already.
        """
        state, target = self.pop(), self.top()
        if type(target) is NodeIndex and isinstance(state, dict):
            self.nodes.set_attributes(target, state)
        elif type(target) is Instance and target.state is None:
            if isinstance(state, dict):
                if len(state) > ATTRIBUTE_LIMIT:
                    raise UnreadableModelError(
                        f"an object in it has more than {ATTRIBUTE_LIMIT:,} attributes"
                    )
                state = dict(state)
            target.state = state
        else:
            raise UnreadableModelError(
                "it sets attributes of something that is not an object of a model, or sets them "
                "twice"
            )

    def add_items(self, items: list[object]) -> None:
        """Add items to the dictionary on top of the stack.

        Args:
            items: Keys and values in turn.

        Raises:
            UnreadableModelError: There is no dictionary, or a key is no text.
        """
        target = self.top()
        if type(target) is Instance and target.kind == DEFAULTDICT:
            target = target.items
        if not isinstance(target, dict) or len(items) % 2:
            self.fail()
        keys = items[::2]
        if not all(type(key) is str for key in keys):
            raise UnreadableModelError("a dictionary in it has a key that is no text")
        target.update(zip(keys, items[1::2], strict=True))

    def extend(self, items: list[object]) -> None:
        """Append items to the list on top of the stack.

        Args:
            items: The items.
        """
        target = self.top()
        if type(target) is not list:
            self.fail()
        target += items

    def clear(self) -> None:
        """Release the stack and the memo, whose values may contain each other in circles."""
        for value in (*self.stack, *self.memo.objects.values()):
            if isinstance(value, list | dict):
                value.clear()
        self.stack.clear()
        self.memo.objects.clear()
