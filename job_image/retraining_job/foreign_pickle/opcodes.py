"""The opcodes of a pickle that the box interprets, as `pickletools` documents them."""

from __future__ import annotations

import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from retraining_job.model.model import UnreadableModelError

if TYPE_CHECKING:
    from retraining_job.foreign_pickle.box import Box

PROTOCOLS = range(2, 6)

TEXT_LIMIT_BYTES = 4_000
"""Longest text. The name of a feature has at most 1,000 characters."""

NUMBER_LIMIT_BYTES = 255
"""Longest whole number. Those of a forest have at most 5 bytes."""

STOP = pickle.STOP[0]


def read_protocol(box: Box) -> None:
    """Read the protocol.

    Raises:
        UnreadableModelError: It is another one.
    """
    protocol = box.read_number(1)
    if protocol not in PROTOCOLS:
        raise UnreadableModelError(
            f"it is a pickle of protocol {protocol}; protocols {PROTOCOLS[0]} to {PROTOCOLS[-1]} "
            "are read"
        )


def read_frame(box: Box) -> None:
    """Read the length of a frame, which is only needed to read a stream.

    Raises:
        UnreadableModelError: The pickle ends before the frame.
    """
    length = box.read_number(8)
    if length > len(box.data) - box.position:
        raise UnreadableModelError("it is not a complete pickle: it ends inside of a frame")


def read_text(box: Box, length: int) -> str:
    """Read a text.

    Args:
        box: The box.
        length: Its length in bytes.

    Returns:
        The text.

    Raises:
        UnreadableModelError: It is too long, or not UTF-8.
    """
    if length > TEXT_LIMIT_BYTES:
        raise UnreadableModelError(
            f"it contains a text of {length:,} bytes; a model's have at most {TEXT_LIMIT_BYTES:,}"
        )
    try:
        return box.read(length).decode()
    except UnicodeDecodeError:
        raise UnreadableModelError("it contains a text that is not UTF-8") from None


def read_line(box: Box) -> str:
    """Read a text up to the end of its line.

    Raises:
        UnreadableModelError: It is too long or not complete.
    """
    end = box.data.find(b"\n", box.position, box.position + TEXT_LIMIT_BYTES)
    if end < 0:
        raise UnreadableModelError("it is not a complete pickle: it ends inside of a name")
    text = read_text(box, end - box.position)
    box.position += 1
    return text


def read_signed(box: Box, length: int) -> int:
    """Read a whole number with a sign, least significant byte first.

    Args:
        box: The box.
        length: Its length in bytes.

    Returns:
        The number.

    Raises:
        UnreadableModelError: It is too long.
    """
    if length > NUMBER_LIMIT_BYTES:
        raise UnreadableModelError(
            f"it contains a number of {length:,} bytes; a model's have at most {NUMBER_LIMIT_BYTES}"
        )
    return int.from_bytes(box.read(length), "little", signed=True)


def read_float(box: Box) -> float:
    """Read a floating-point number."""
    number: float = struct.unpack(">d", box.read(8))[0]
    return number


def make_tuple(length: int) -> Callable[[Box], None]:
    """Return the action that replaces values by a tuple of them.

    Args:
        length: The number of values.
    """

    def replace(box: Box) -> None:
        values = [box.pop() for _ in range(length)]
        box.push_new(tuple(reversed(values)))

    return replace


def read_global(box: Box) -> None:
    """Push the record of a class whose module and name follow as lines."""
    module, name = read_line(box), read_line(box)
    box.name(module, name)


def read_stack_global(box: Box) -> None:
    """Push the record of a class whose module and name are on the stack."""
    name, module = box.pop(), box.pop()
    box.name(module, name)


def drop(box: Box) -> None:
    """Remove the value on top of the stack, or the mark if there is none above it."""
    if box.marks and box.marks[-1] == len(box.stack):
        box.marks.pop()
    else:
        box.pop()


def set_item(box: Box) -> None:
    """Add one item to a dictionary."""
    value, key = box.pop(), box.pop()
    box.add_items([key, value])


ACTIONS: dict[int, Callable[[Box], object]] = {
    opcode[0]: action
    for opcode, action in {
        pickle.PROTO: read_protocol,
        pickle.FRAME: read_frame,
        pickle.NONE: lambda box: box.push(None),
        pickle.NEWTRUE: lambda box: box.push(value=True),
        pickle.NEWFALSE: lambda box: box.push(value=False),
        pickle.BININT: lambda box: box.push(read_signed(box, 4)),
        pickle.BININT1: lambda box: box.push(box.read_number(1)),
        pickle.BININT2: lambda box: box.push(box.read_number(2)),
        pickle.LONG1: lambda box: box.push(read_signed(box, box.read_number(1))),
        pickle.LONG4: lambda box: box.push(read_signed(box, box.read_number(4))),
        pickle.BINFLOAT: lambda box: box.push(read_float(box)),
        pickle.SHORT_BINUNICODE: lambda box: box.push_new(read_text(box, box.read_number(1))),
        pickle.BINUNICODE: lambda box: box.push_new(read_text(box, box.read_number(4))),
        pickle.BINUNICODE8: lambda box: box.push_new(read_text(box, box.read_number(8))),
        pickle.MARK: lambda box: box.mark(),
        pickle.POP: drop,
        pickle.POP_MARK: lambda box: box.pop_items(),
        pickle.EMPTY_TUPLE: lambda box: box.push(()),
        pickle.TUPLE: lambda box: box.push_new(tuple(box.pop_items())),
        pickle.TUPLE1: make_tuple(1),
        pickle.TUPLE2: make_tuple(2),
        pickle.TUPLE3: make_tuple(3),
        pickle.EMPTY_LIST: lambda box: box.push_new([]),
        pickle.APPEND: lambda box: box.extend([box.pop()]),
        pickle.APPENDS: lambda box: box.extend(box.pop_items()),
        pickle.EMPTY_DICT: lambda box: box.push_new({}),
        pickle.SETITEM: set_item,
        pickle.SETITEMS: lambda box: box.add_items(box.pop_items()),
        pickle.MEMOIZE: lambda box: box.store(len(box.memo)),
        pickle.BINPUT: lambda box: box.store(box.read_number(1)),
        pickle.LONG_BINPUT: lambda box: box.store(box.read_number(4)),
        pickle.BINGET: lambda box: box.fetch(box.read_number(1)),
        pickle.LONG_BINGET: lambda box: box.fetch(box.read_number(4)),
        pickle.GLOBAL: read_global,
        pickle.STACK_GLOBAL: read_stack_global,
        pickle.REDUCE: lambda box: box.call(),
        pickle.NEWOBJ: lambda box: box.create(),
        pickle.BUILD: lambda box: box.set_attributes(),
    }.items()
}
"""What each opcode does."""


def describe(opcode: int) -> str:
    """Describe an opcode that the box does not interpret."""
    known = {code.code: code for code in pickletools.opcodes}.get(chr(opcode))
    return f"the opcode {known.name}" if known else f"the byte {opcode:#04x} instead of an opcode"
