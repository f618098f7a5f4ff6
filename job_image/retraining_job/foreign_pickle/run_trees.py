"""Reads a run of groups that describe whole trees, or whole parts of trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retraining_job.foreign_pickle.boxed_nodes import NodeIndex
from retraining_job.foreign_pickle.boxed_values import BRANCH, LEAF
from retraining_job.foreign_pickle.run_fields import (
    CHILDREN,
    FEATURE,
    THRESHOLD,
    UNKNOWN,
    GroupFields,
    Masses,
    Puts,
    look_up,
    look_up_classes,
    look_up_texts,
    read_masses,
)
from retraining_job.model.state_schema import WINDOW_LIMIT

if TYPE_CHECKING:
    from retraining_job.foreign_pickle.box import Box

OPENING, CLOSING = ord("}"), 0x86

LEAF_KIND, START_KIND, END_KIND = range(3)


class Groups:
    """What the groups say.

    Args:
        count: The number of groups.
    """

    def __init__(self, count: int) -> None:
        self.kind = np.full(count, LEAF_KIND, np.int8)
        self.good = np.ones(count, np.bool_)
        self.l_mass, self.r_mass = np.full((2, count), -1, np.int32)
        self.features = np.full(count, -1, np.int32)
        self.thresholds = np.full(count, np.nan)
        self.is_put = np.zeros((2, count), np.bool_)
        """Whether the group stores its node, and another value after it."""
        self.places = np.full((2, count), -1, np.int64)
        """The places of the memo that it names for them, -1 for the next one."""

    def set_masses(self, which: np.ndarray, masses: Masses) -> None:
        """Set the masses of some groups.

        Args:
            which: Shape (n,), intp. The groups.
            masses: Their masses.
        """
        self.l_mass[which] = np.where(masses.good, masses.left, -1)
        self.r_mass[which] = np.where(masses.good, masses.right, -1)
        self.good[which] &= masses.good

    def set_puts(self, which: np.ndarray, row: int, puts: Puts) -> None:
        """Set what some groups store in the memo.

        Args:
            which: Shape (n,), intp. The groups.
            row: 0 for the node, 1 for the value after it.
            puts: What they store.
        """
        self.is_put[row, which], self.places[row, which] = puts.is_put, puts.place


def read_trees(box: Box, fields: GroupFields) -> int:
    """Read a run of trees. Its first group is no end of a branch.

    Args:
        box: The box.
        fields: The groups.

    Returns:
        The length of what was read, in bytes. The box must interpret the rest.
    """
    groups = Groups(len(fields.ends))
    is_end = fields.opcodes == CLOSING
    read_nodes(box, fields, groups, np.flatnonzero(~is_end))
    read_ends(box, fields, groups, np.flatnonzero(is_end))
    depth = np.cumsum(np.array([0, 1, -1], np.int64)[groups.kind])
    good = groups.good & (depth >= 0)
    limit = len(good) if good.all() else int(np.argmin(good))
    complete = np.flatnonzero(depth[:limit] == 0)
    if not len(complete):
        return 0
    count = int(complete[-1]) + 1
    return int(fields.ends[count - 1]) if store_trees(box, groups, depth, count) else 0


def read_nodes(box: Box, fields: GroupFields, groups: Groups, which: np.ndarray) -> None:
    """Read the groups that create a node.

    Args:
        box: The box.
        fields: All groups.
        groups: Gets what they say.
        which: Shape (n,), intp. Those that create a node.
    """
    part = fields.select(which)
    kinds = look_up_classes(box, part.take(), [LEAF, BRANCH])
    part.skip(2)
    groups.set_puts(which, 0, part.take_put())
    has_own = part.opcodes == OPENING
    shared = np.flatnonzero(~has_own)
    groups.good[which] = kinds == LEAF_KIND
    groups.set_masses(which[shared], look_up_shared_masses(box, part.select(shared).take()))
    own = np.flatnonzero(has_own)
    which, part, kinds = which[own], part.select(own), kinds[own]
    part.skip(1)
    groups.set_puts(which, 1, part.take_put())
    part.skip(1)
    name_at = part.at
    keys = look_up_texts(box, part.take())
    is_start = part.at == part.ends
    starts, leaves = np.flatnonzero(is_start), np.flatnonzero(~is_start)
    groups.kind[which[starts]] = START_KIND
    groups.good[which[starts]] = (keys[starts] == CHILDREN) & (kinds[starts] == START_KIND)
    part.at = name_at
    groups.set_masses(which[leaves], read_masses(box, part.select(leaves)))


def read_ends(box: Box, fields: GroupFields, groups: Groups, which: np.ndarray) -> None:
    """Read the groups that end a branch.

    Args:
        box: The box.
        fields: All groups.
        groups: Gets what they say.
        which: Shape (n,), intp. Those that end a branch.
    """
    part = fields.select(which)
    part.skip(1)
    groups.kind[which] = END_KIND
    groups.set_puts(which, 1, part.take_put())
    has_names = look_up_texts(box, part.take()) == FEATURE
    groups.features[which] = look_up(box, part.take(), box.nodes.find_feature)
    has_names &= look_up_texts(box, part.take()) == THRESHOLD
    groups.thresholds[which] = part.take_float()
    has_names &= np.isfinite(groups.thresholds[which]) & (groups.features[which] != UNKNOWN)
    groups.good[which] = has_names
    is_shared = part.opcodes == ord("u")
    shared, own = np.flatnonzero(is_shared), np.flatnonzero(~is_shared)
    groups.set_masses(which[own], read_masses(box, part.select(own)))
    rest = part.select(shared)
    rest.skip(2)
    groups.set_masses(which[shared], look_up_shared_masses(box, rest.take()))


def look_up_shared_masses(box: Box, places: np.ndarray) -> Masses:
    """Look up dictionaries of two masses in the memo.

    Args:
        box: The box.
        places: Shape (n,), int64. Places in the memo.

    Returns:
        The masses.
    """
    left, right = (
        look_up(box, places, lambda value, name=name: find_mass(value, name))  # type: ignore[misc]
        for name in ("l_mass", "r_mass")
    )
    return Masses(left, right, (left != UNKNOWN) & (right != UNKNOWN))


def find_mass(attributes: object, name: str) -> int:
    """Find a mass in a dictionary of two masses.

    Args:
        attributes: The value that should be the dictionary.
        name: The name of the mass.

    Returns:
        The mass, or `UNKNOWN`.
    """
    if type(attributes) is not dict or len(attributes) != 2:
        return UNKNOWN
    mass = attributes.get(name)
    return mass if type(mass) is int and 0 <= mass <= WINDOW_LIMIT else UNKNOWN


def store_trees(box: Box, groups: Groups, depth: np.ndarray, count: int) -> bool:
    """Store the nodes of whole trees, and push the trees.

    Args:
        box: The box.
        groups: What the groups say.
        depth: Shape (n,), int64. The number of branches that are open after each group.
        count: The number of groups that belong to whole trees.

    Returns:
        False if the box must interpret the opcodes one by one. Nothing was changed then.
    """
    kind, depth = groups.kind[:count], depth[:count]
    created = np.flatnonzero(kind != END_KIND)
    level = depth[created] - (kind[created] == START_KIND)
    ordered = created[np.argsort(level, kind="stable")]
    roots = np.count_nonzero(level == 0)
    starts, ends = np.flatnonzero(kind == START_KIND), np.flatnonzero(kind == END_KIND)
    starts = starts[np.argsort(depth[starts], kind="stable")]
    ends = ends[np.argsort(depth[ends], kind="stable")]
    children = ordered[roots:]
    # Sorted by level, each start is followed by its end, and by the two children between them.
    if len(children) != 2 * len(starts) or int(depth.max(initial=0)) > box.marks_left:
        return False
    left, right = children.reshape(-1, 2).T
    if not ((starts < left) & (left < right) & (right < ends)).all():
        return False
    node = np.full(count, -1, np.int32)
    node[created] = box.nodes.count + np.arange(len(created), dtype=np.int32)
    if not box.memo.extend(groups.is_put[:, :count], groups.places[:, :count], node):
        return False
    nodes = box.nodes
    nodes.create_many(kind[created] == START_KIND)
    nodes.l_mass[node[created]] = groups.l_mass[created]
    nodes.r_mass[node[created]] = groups.r_mass[created]
    branch = node[starts]
    nodes.left[branch], nodes.right[branch] = node[left], node[right]
    nodes.features[branch], nodes.thresholds[branch] = (
        groups.features[ends],
        groups.thresholds[ends],
    )
    nodes.l_mass[branch], nodes.r_mass[branch] = groups.l_mass[ends], groups.r_mass[ends]
    box.stack += map(NodeIndex, node[ordered[:roots]].tolist())
    box.check_stack()
    return True
