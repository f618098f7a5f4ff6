"""Pickle of an array forest as one of river's own forests, without creating its million nodes.

Unpickling it creates a genuine `river.anomaly.hst.HalfSpaceTrees`. All trees have the same shape.
Therefore the opcodes of one tree are a template, which is built by doubling it for each level. Each
tree is this template with its own features and thresholds. Nearly all masses are zero. Therefore
every node first gets zeros from a shared dictionary, and the other masses are set afterwards. Small
values are pickled by Python itself. The standard library's `pickletools` documents the opcodes.
"""

from __future__ import annotations

import collections
import functools
import io
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.tree_growth import compute_depth_first_order

KEYS = ("children", "feature", "threshold", "l_mass", "r_mass")
"""A node's attributes, in the order in which river sets them."""

BRANCH, LEAF, ZEROS, CHILDREN, FEATURE, THRESHOLD, L_MASS, R_MASS, FIRST_NAME = range(9)
"""Indexes in the unpickler's memo: the two classes, the zero masses, the keys, then the features'
names."""

SPLIT = np.dtype([("feature", "<u4"), ("key", "V3"), ("threshold", ">f8")])
"""The bytes in which branches differ: the feature's index in the memo, then the threshold."""

MEMOIZE_ONLY = pickle.MEMOIZE + pickle.POP


def pickle_forest(forest: ArrayForest, sad: object) -> bytes:
    """Build the pickle of `{"hst": forest, "sad": sad}` with the forest as river's own.

    Args:
        forest: The array forest.
        sad: The deviation score. Its class must be importable under its name.

    Returns:
        The pickle, protocol 4.
    """
    out = io.BytesIO()
    out.write(pickle.PROTO + b"\x04" + encode_memo(forest.names))
    out.write(pickle.EMPTY_DICT + pickle.MARK + encode_small_value("hst"))
    out.write(
        encode_global("river.anomaly.hst", "HalfSpaceTrees") + pickle.EMPTY_TUPLE + pickle.NEWOBJ
    )
    out.write(pickle.EMPTY_DICT + pickle.MARK)
    for key, value in build_first_attributes(forest).items():
        out.write(encode_small_value(key) + encode_small_value(value))
    write_nodes(out, forest)
    out.write(
        encode_small_value("counter")
        + encode_small_value(forest.counter)
        + encode_small_value("_first_window")
        + encode_small_value(forest.first_window)
    )
    out.write(pickle.SETITEMS + pickle.BUILD)
    out.write(encode_small_value("sad") + encode_small_value(sad) + pickle.SETITEMS + pickle.STOP)
    return out.getvalue()


def build_first_attributes(forest: ArrayForest) -> dict[str, object]:
    """Build the attributes that river's forest has before its nodes, in river's order."""
    pair: Any = tuple  # river's own default makes pairs like this
    default: Callable[[], tuple[float, float]] = functools.partial(pair, (0.0, 1.0))
    limits = collections.defaultdict(default, dict.fromkeys(forest.names, (0.0, 1.0)))
    generator = random.Random()  # noqa: S311  # river's own kind
    generator.setstate(forest.rng_state)
    return {
        "n_trees": forest.n_trees,
        "window_size": forest.window_size,
        "height": forest.height,
        "limits": limits,
        "seed": forest.seed,
        "rng": generator,
    }


def encode_small_value(value: object) -> bytes:
    """Build the opcodes of a small value, without memo, head and end."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, protocol=3)  # 3 writes no frames
    pickler.fast = True
    pickler.dump(value)
    return out.getvalue()[2:-1]


def encode_global(module: str, name: str) -> bytes:
    """Build the opcodes that import a class.

    Args:
        module: Full name of its module.
        name: Its name in the module.

    Returns:
        The opcodes.
    """
    return encode_small_value(module) + encode_small_value(name) + pickle.STACK_GLOBAL


def encode_memo(names: tuple[str, ...]) -> bytes:
    """Build the opcodes that memoize what all nodes share, from the index `BRANCH` on."""
    zeros = encode_small_value({"l_mass": 0, "r_mass": 0})
    classes = [encode_global("river.tree.padded", name) for name in ("PaddedBranch", "PaddedLeaf")]
    values = (*classes, zeros, *map(encode_small_value, (*KEYS, *names)))
    return b"".join(value + MEMOIZE_ONLY for value in values)


def encode_fetch(index: int) -> bytes:
    """Build the opcode that fetches the value at an index of the memo. It must be below 256."""
    return pickle.BINGET + bytes([index])


def write_nodes(out: io.BytesIO, forest: ArrayForest) -> None:
    """Write the attributes `trees` and `_tree_nodes`, and the masses.

    The unpickler's memo numbers the nodes in the order of the stream, depth first.

    Args:
        out: The stream.
        forest: The array forest.
    """
    write_trees(out, forest)
    n_nodes, first_node = forest.l_mass.shape[1], FIRST_NAME + len(forest.names)
    gets = np.empty(n_nodes, [("opcode", "S1"), ("node", "<u4")])
    gets["opcode"] = pickle.LONG_BINGET
    out.write(encode_small_value("_tree_nodes") + pickle.EMPTY_LIST + pickle.MARK)
    for index in range(forest.n_trees):
        gets["node"] = np.arange(n_nodes) + first_node + index * n_nodes
        out.write(pickle.EMPTY_LIST + pickle.MARK)
        out.write(gets.view(np.uint8).data)
        out.write(pickle.APPENDS)
    out.write(pickle.APPENDS)
    out.write(encode_masses(forest, first_node))


def write_trees(out: io.BytesIO, forest: ArrayForest) -> None:
    """Write the attribute `trees`, with zero masses.

    Args:
        out: The stream.
        forest: The array forest.
    """
    template, offsets = build_tree_template(forest.height)
    tree = np.frombuffer(template, np.uint8).copy()
    # Views the bytes from each offset on as a split. Only those at `offsets` are splits.
    split_at: np.ndarray = np.ndarray(
        (len(tree) - SPLIT.itemsize + 1,), SPLIT, tree.data, strides=(1,)
    )
    splits = np.empty(len(offsets), SPLIT)
    splits["key"] = np.void(encode_fetch(THRESHOLD) + pickle.BINFLOAT)
    order = np.argsort(compute_depth_first_order(forest.height))
    out.write(encode_small_value("trees") + pickle.EMPTY_LIST + pickle.MARK)
    for features, thresholds in zip(forest.features, forest.thresholds, strict=True):
        splits["feature"] = features[order].astype(np.uint32) + FIRST_NAME
        splits["threshold"] = thresholds[order]
        split_at[offsets] = splits
        out.write(tree.data)
    out.write(pickle.APPENDS)


def build_tree_template(height: int) -> tuple[bytes, np.ndarray]:
    """Build the opcodes of one tree.

    A branch opens, its two children follow, and it closes when they are on the unpickler's stack.

    Args:
        height: Levels from the root to the leaves.

    Returns:
        The opcodes, and the byte offsets of the branches' splits in them, depth first, shape
        (2^height - 1,), intp.
    """
    new = pickle.EMPTY_TUPLE + pickle.NEWOBJ + pickle.MEMOIZE
    no_masses = encode_fetch(ZEROS) + pickle.BUILD
    opens = encode_fetch(BRANCH) + new + pickle.EMPTY_DICT + pickle.MARK + encode_fetch(CHILDREN)
    closes = pickle.TUPLE2 + encode_fetch(FEATURE) + pickle.LONG_BINGET
    split_in_closes = len(closes)
    closes += bytes(SPLIT.itemsize) + pickle.SETITEMS + pickle.BUILD + no_masses
    tree = encode_fetch(LEAF) + new + no_masses
    offsets = np.empty(0, np.intp)
    for _ in range(height):
        left, right = offsets + len(opens), offsets + len(opens) + len(tree)
        offsets = np.concatenate([[len(opens) + 2 * len(tree) + split_in_closes], left, right])
        tree = opens + 2 * tree + closes
    return tree, offsets


def encode_masses(forest: ArrayForest, first_node: int) -> bytes:
    """Build the opcodes that set the masses of the nodes that events have passed.

    For each node: fetch it, update its attributes from a dictionary, remove it from the stack.

    Args:
        forest: The array forest.
        first_node: Index of the first node in the unpickler's memo.

    Returns:
        The opcodes.
    """
    order = np.argsort(compute_depth_first_order(forest.height + 1))
    l_mass, r_mass = (part[:, order].reshape(-1) for part in (forest.l_mass, forest.r_mass))
    (nodes,) = np.nonzero(l_mass | r_mass)
    left = pickle.EMPTY_DICT + pickle.MARK + encode_fetch(L_MASS) + pickle.BININT
    right = encode_fetch(R_MASS) + pickle.BININT
    parts = {
        "node": (np.void(pickle.LONG_BINGET), first_node + nodes),
        "l_mass": (np.void(left), l_mass[nodes]),
        "r_mass": (np.void(right), r_mass[nodes]),
    }
    fields: list[tuple[str, object]] = []
    for name, (opcodes, _) in parts.items():
        fields += [(f"{name} opcodes", opcodes.dtype), (name, "<i4")]
    records = np.empty(len(nodes), [*fields, ("end", "V3")])
    for name, (opcodes, values) in parts.items():
        records[f"{name} opcodes"], records[name] = opcodes, values
    records["end"] = np.void(pickle.SETITEMS + pickle.BUILD + pickle.POP)
    return records.tobytes()
