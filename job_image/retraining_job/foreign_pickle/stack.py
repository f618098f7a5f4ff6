"""The stack of the machine that interprets a pickle, with its limits."""

from __future__ import annotations

from typing import NoReturn

from retraining_job.model.model import UnreadableModelError

STACK_LIMIT = 1 << 22
"""Most values on the stack. Those of a list lie there together: the nodes of one tree."""

MARK_LIMIT = 1_000
"""Most lists, tuples and dictionaries that are inside each other. A forest has one for each level
of a tree."""


class PickleStack:
    """The values that the opcodes work on, and marks between them.

    Args:
        objects_left: How many texts and containers opcodes may create.
    """

    def __init__(self, objects_left: int) -> None:
        self.objects_left = objects_left
        self.position = 0
        """How much of the pickle has been read, in bytes."""
        self.stack: list[object] = []
        self.marks: list[int] = []
        """Heights of the stack at which a mark is."""

    def push(self, value: object) -> None:
        """Push a value onto the stack."""
        self.stack.append(value)
        self.check_stack()

    def check_stack(self) -> None:
        """Check the size of the stack.

        Raises:
            UnreadableModelError: It is too large.
        """
        if len(self.stack) > STACK_LIMIT:
            raise UnreadableModelError(
                f"it collects more than {STACK_LIMIT:,} values for one list or dictionary"
            )

    def push_new(self, value: object) -> None:
        """Push a text or a container that an opcode has created.

        Args:
            value: The text or the container.

        Raises:
            UnreadableModelError: There are too many of them.
        """
        self.objects_left -= 1
        if self.objects_left < 0:
            raise UnreadableModelError(
                "it contains more texts, lists and dictionaries than a model of its length"
            )
        self.push(value)

    def pop(self) -> object:
        """Remove the value on top of the stack.

        Returns:
            The value.

        Raises:
            UnreadableModelError: There is none above the last mark.
        """
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            self.fail()
        return self.stack.pop()

    def top(self) -> object:
        """Return the value on top of the stack without removing it."""
        value = self.pop()
        self.stack.append(value)
        return value

    @property
    def marks_left(self) -> int:
        """How many more marks there may be."""
        return MARK_LIMIT - len(self.marks)

    def mark(self) -> None:
        """Set a mark, above which the items of a container are collected.

        Raises:
            UnreadableModelError: There are too many.
        """
        if self.marks_left <= 0:
            raise UnreadableModelError(
                f"it contains more than {MARK_LIMIT:,} lists and dictionaries inside each other"
            )
        self.marks.append(len(self.stack))

    def pop_items(self) -> list[object]:
        """Remove the values above the last mark, and the mark.

        Returns:
            The values.

        Raises:
            UnreadableModelError: There is no mark.
        """
        if not self.marks:
            self.fail()
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def fail(self) -> NoReturn:
        """Refuse opcodes that do not fit together.

        Raises:
            UnreadableModelError: Always.
        """
        raise UnreadableModelError(
            f"it is not a complete pickle: its opcodes before byte {self.position:,} do not fit "
            "together"
        )
