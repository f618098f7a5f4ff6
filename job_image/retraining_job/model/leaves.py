"""Masses of a forest's leaves, packed into text.

Only the leaves that events have reached are stored. The masses of inner nodes are the sums of those
of the leaves below them.

The text is base64 of zlib of three rows of unsigned 32-bit integers, little endian: how far each
reached leaf is after the one before (trees and leaves from left to right), its mass in the present
window, its mass in the reference window.
"""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np

from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.model import UnreadableModelError
from retraining_job.model.state_schema import ModelState

LEAF_BYTES = 12


def pack_leaves(forest: ArrayForest) -> str:
    """Build the text of the leaves that events have reached."""
    first_leaf = 2**forest.height - 1
    l_mass, r_mass = (
        masses[:, first_leaf:].reshape(-1) for masses in (forest.l_mass, forest.r_mass)
    )
    (reached,) = np.nonzero(l_mass | r_mass)
    rows = np.array([np.diff(reached, prepend=0), l_mass[reached], r_mass[reached]], "<u4")
    return base64.b64encode(zlib.compress(rows.tobytes(), 9)).decode("ascii")


def decompress_leaves(state: ModelState) -> bytes:
    """Return the decompressed bytes of the leaves, at most as many as the events can have reached.

    Raises:
        UnreadableModelError: They are damaged, or more than the forest has leaves.
    """
    events = state.counter + state.window_size
    limit = LEAF_BYTES * state.n_trees * min(2**state.height, events)
    try:
        decompressor = zlib.decompressobj()
        content = decompressor.decompress(base64.b64decode(state.leaves, validate=True), limit)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise UnreadableModelError(
            f"the masses in its state cannot be decompressed ({error})"
        ) from None
    if not decompressor.eof or decompressor.unused_data or len(content) % LEAF_BYTES:
        raise UnreadableModelError(
            "the masses in its state are incomplete, or more than its trees have leaves"
        )
    return content


def unpack_leaves(state: ModelState) -> np.ndarray:
    """Return the masses of all leaves.

    Args:
        state: The state of a model.

    Returns:
        Shape (2, n_trees, n_leaves), int32. Events of the present window, then of the reference
        window.

    Raises:
        UnreadableModelError: They are damaged, or impossible in a forest with this state.
    """
    rows = np.frombuffer(decompress_leaves(state), "<u4").reshape(3, -1).astype(np.int64)
    reached = np.cumsum(rows[0])
    n_leaves = 2**state.height
    ordered = (rows[0, 1:] > 0).all() and (reached < state.n_trees * n_leaves).all()
    if not ordered or (rows[1:] > state.window_size).any():
        raise UnreadableModelError("the masses in its state are impossible in such a forest")
    leaves = np.zeros((2, state.n_trees * n_leaves), np.int32)
    leaves[:, reached] = rows[1:]
    leaves = leaves.reshape(2, state.n_trees, n_leaves)
    events = [[state.counter], [0 if state.first_window else state.window_size]]
    if (leaves.sum(axis=2) != events).any():
        raise UnreadableModelError(
            "the masses in its state do not add up to the events of its windows"
        )
    return leaves


def fill_masses(masses: np.ndarray, leaves: np.ndarray) -> None:
    """Set the masses of all nodes from those of the leaves.

    Args:
        masses: Shape (n_trees, n_nodes), int32, level by level. Overwritten.
        leaves: Shape (n_trees, n_leaves), int32, from left to right.
    """
    level = leaves
    masses[:, -level.shape[1] :] = level
    while level.shape[1] > 1:
        level = level[:, ::2] + level[:, 1::2]
        masses[:, level.shape[1] - 1 : 2 * level.shape[1] - 1] = level
