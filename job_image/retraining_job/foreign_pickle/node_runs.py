"""Finds and reads runs of whole trees in a pickle, and runs of nodes that it fetches or changes.

Nearly all of a pickle consists of them. A regular expression divides a run into the groups of
opcodes of a leaf, of the start and of the end of a branch. NumPy reads the fields of all groups at
a time. This has exactly the effect that the opcodes have one by one. The box interprets what looks
different.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.foreign_pickle.boxed_nodes import NodeIndex
from retraining_job.foreign_pickle.run_fields import GroupFields, Masses, read_masses
from retraining_job.foreign_pickle.run_trees import read_trees

if TYPE_CHECKING:
    from retraining_job.foreign_pickle.box import Box

GET = rb"(?:h.|j.{4})"
PUT = rb"(?:\x94|q.|r.{4}|)"
NUMBER = rb"(?:K.|M..|J.{4})"
MASSES = GET + NUMBER + GET + NUMBER + rb"ub"

LEAF = GET + rb"\)\x81" + PUT + rb"\}" + PUT + rb"\(" + MASSES
LEAF_WITH_SHARED_MASSES = GET + rb"\)\x81" + PUT + GET + rb"b"
START = GET + rb"\)\x81" + PUT + rb"\}" + PUT + rb"\(" + GET
END = rb"\x86" + PUT + GET * 3 + rb"G.{8}(?:" + MASSES + rb"|ub" + GET + rb"b)"

TREES = re.compile(b"|".join((LEAF, LEAF_WITH_SHARED_MASSES, START, END)), re.DOTALL)
CHANGES = re.compile(GET + rb"\}" + PUT + rb"\(" + MASSES + rb"0", re.DOTALL)
FETCHES = re.compile(rb"(?:j.{4}){2,}", re.DOTALL)

CLOSING = 0x86
"""The first byte of the end of a branch."""

FIRST_BYTES = 1 << 12
"""Where a run begins, so many bytes are divided into groups at first."""

GROUP_BYTES = 64
"""No group is longer."""

SCANS = 16
"""How often the bytes of a pickle are divided into groups at most. Afterwards, the box interprets
the rest. A pickle in which this matters is forged."""


class NodeRuns:
    """Reads runs for a box.

    Args:
        box: The box, whose stack, memo and nodes the runs change.
    """

    def __init__(self, box: Box) -> None:
        self.box = box
        self.bytes_left = SCANS * (len(box.data) + FIRST_BYTES)

    def run(self, position: int) -> int:
        """Read the run that begins at a position, if there is one.

        Args:
            position: Where the next opcode is.

        Returns:
            Where the first opcode is that is not part of a run.
        """
        data = self.box.data
        if TREES.match(data, position) and data[position] != CLOSING:
            return self.read_groups(TREES, position)
        if CHANGES.match(data, position):
            return self.read_groups(CHANGES, position)
        if found := FETCHES.match(data, position):
            return found.end() if self.fetch_nodes(found[0]) else position
        return position

    def read_groups(self, pattern: re.Pattern[bytes], position: int) -> int:
        """Read a run of groups.

        Args:
            pattern: The groups.
            position: Where it begins.

        Returns:
            Where it ends.
        """
        parts: list[np.ndarray] = []
        reached, size, depth, goes_on = position, FIRST_BYTES, 0, True
        while goes_on and self.bytes_left > 0:
            ends, goes_on = self.divide(pattern, reached, size)
            if pattern is TREES:
                depths = depth + self.estimate_depths(reached, ends)
                if (depths < 0).any():
                    ends, goes_on = ends[: int(np.argmax(depths < 0))], False
                elif len(depths):
                    depth = int(depths[-1])
            if not len(ends):
                break
            parts.append(ends)
            reached, size = int(ends[-1]), 2 * size
        if not parts:
            return position
        read = read_trees if pattern is TREES else change_masses
        return position + read(
            self.box, GroupFields(self.box.data[position:reached], np.concatenate(parts) - position)
        )

    def divide(
        self, pattern: re.Pattern[bytes], position: int, size: int
    ) -> tuple[np.ndarray, bool]:
        """Divide a part of the pickle into groups that follow each other without a gap.

        Args:
            pattern: The groups.
            position: Where the part begins.
            size: Its length in bytes.

        Returns:
            Where each group ends, shape (n,), int64; and whether the run may go on after this part.
        """
        data = self.box.data
        end = min(position + size, len(data))
        self.bytes_left -= end - position
        groups = pattern.findall(data, position, end)
        ends = np.cumsum(np.fromiter(map(len, groups), np.int64, len(groups)))
        joined, part = b"".join(groups), data[position:end]
        if not part.startswith(joined):
            together = np.frombuffer(joined, np.uint8), np.frombuffer(part, np.uint8)[: len(joined)]
            ends = ends[ends <= int(np.argmax(together[0] != together[1]))]
        if end == len(data):
            return ends + position, False
        # A group near the end of the part may have been cut off, and look like a shorter one.
        whole = ends[ends <= size - GROUP_BYTES]
        return whole + position, len(ends) > 0 and int(ends[-1]) > size - 2 * GROUP_BYTES

    def estimate_depths(self, position: int, ends: np.ndarray) -> np.ndarray:
        """Estimate how many branches are open after each group.

        Args:
            position: Where the first group begins.
            ends: Shape (n,), int64. Where each group ends.

        Returns:
            Shape (n,), int64, relative to the number before. It only decides how far a run is
            divided. `read_trees` reads what the groups are.
        """
        if not len(ends):
            return ends
        part = np.frombuffer(self.box.data[position : int(ends[-1])], np.uint8)
        ends = ends - position
        is_end = part[np.append(0, ends[:-1])] == CLOSING
        is_start = ~is_end & ((part[ends - 1] != ord("b")) | (part[ends - 2] == ord("h")))
        return np.cumsum(is_start.astype(np.int64) - is_end)

    def fetch_nodes(self, fetches: bytes) -> bool:
        """Push nodes of the memo.

        Args:
            fetches: The opcodes.

        Returns:
            False if the box must interpret them.
        """
        places = np.frombuffer(fetches, [("opcode", "S1"), ("place", "<u4")])["place"]
        if int(places.max()) >= len(self.box.memo):
            return False
        indexes = np.frombuffer(self.box.memo.codes, np.int32)[places]
        if (indexes < 0).any():
            return False
        self.box.stack += map(NodeIndex, indexes.tolist())
        self.box.check_stack()
        return True


def change_masses(box: Box, fields: GroupFields) -> int:
    """Read a run of groups, each of which fetches a node, changes its masses, and drops it.

    Args:
        box: The box.
        fields: The groups.

    Returns:
        The length of what was read, in bytes. The box must interpret the rest.
    """
    places = fields.take()
    fields.skip(1)
    puts = fields.take_put()
    fields.skip(1)
    masses: Masses = read_masses(box, fields)
    are_known = places < len(box.memo)
    codes = np.frombuffer(box.memo.codes, np.int32)
    indexes = codes[np.where(are_known, places, 0)] if len(codes) else np.full(len(places), -1)
    del codes
    good = are_known & (indexes >= 0) & masses.good & ~puts.is_put
    count = len(good) if good.all() else int(np.argmin(good))
    # If a node is changed twice, the last assignment counts, here as well as in the pickle.
    box.nodes.l_mass[indexes[:count]] = masses.left[:count]
    box.nodes.r_mass[indexes[:count]] = masses.right[:count]
    return int(fields.ends[count - 1]) if count else 0
