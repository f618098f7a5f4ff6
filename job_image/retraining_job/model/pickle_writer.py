"""Writes the pickle of a forest in arrays as one of river's own, without making its million nodes. Driven by `model`.

Reading it back gives a genuine `river.anomaly.hst.HalfSpaceTrees`. All trees have the same shape,
so the opcodes of one are a template, doubled level by level; each tree is the template with its
features and thresholds written in. Nearly all masses are zero: every node gets zeros from a shared
dictionary, and the few others are set afterwards. What is small is pickled by Python itself. The
opcodes are documented in the standard library's `pickletools`.
"""

from __future__ import annotations

import collections
import functools
import io
import pickle
import random
from collections.abc import Callable

import numpy as np

from retraining_job.model.array_forest import ArrayForest, depth_first

KEYS = ("children", "feature", "threshold", "l_mass", "r_mass")
"""A node's attributes, in the order in which river sets them."""

BRANCH, LEAF, ZEROS, CHILDREN, FEATURE, THRESHOLD, L_MASS, R_MASS, FIRST_NAME = range(9)
"""Places in the reader's memo: the two classes, the masses of most nodes, the keys, then the features' names."""

SPLIT = np.dtype([("feature", "<u4"), ("key", "V3"), ("threshold", ">f8")])
"""What differs between branches, as it stands in the stream: the feature's place in the memo, then the threshold."""

MEMOIZE_ONLY = pickle.MEMOIZE + pickle.POP


def emitted(forest: ArrayForest, sad: object) -> bytes:
    """Pickle `{"hst": forest, "sad": sad}` as if the forest were river's; a class of `sad` must be importable."""
    out = io.BytesIO()
    out.write(pickle.PROTO + b"\x04" + memo_head(forest.names))
    out.write(pickle.EMPTY_DICT + pickle.MARK + plain("hst"))
    out.write(
        global_name("river.anomaly.hst", "HalfSpaceTrees") + pickle.EMPTY_TUPLE + pickle.NEWOBJ
    )
    out.write(pickle.EMPTY_DICT + pickle.MARK)
    for key, value in head_of(forest).items():
        out.write(plain(key) + plain(value))
    write_trees(out, forest)
    out.write(
        plain("counter")
        + plain(forest.counter)
        + plain("_first_window")
        + plain(forest.first_window)
    )
    out.write(pickle.SETITEMS + pickle.BUILD)
    out.write(plain("sad") + plain(sad) + pickle.SETITEMS + pickle.STOP)
    return out.getvalue()


def head_of(forest: ArrayForest) -> dict[str, object]:
    """Give what river's forest has beside its nodes and counters, in its order."""
    default: Callable[[], tuple[float, float]] = functools.partial(tuple, (0.0, 1.0))  # type: ignore[assignment]  # pairs
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


def plain(value: object) -> bytes:
    """Pickle a small value so that it can stand inside another pickle: without memo, head and end."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, protocol=3)  # 3 writes no frames
    pickler.fast = True
    pickler.dump(value)
    return out.getvalue()[2:-1]


def global_name(module: str, name: str) -> bytes:
    """Give a class by its name."""
    return plain(module) + plain(name) + pickle.STACK_GLOBAL


def memo_head(names: tuple[str, ...]) -> bytes:
    """Put into the reader's memo what all nodes share."""
    zeros = plain({"l_mass": 0, "r_mass": 0})
    classes = [global_name("river.tree.padded", name) for name in ("PaddedBranch", "PaddedLeaf")]
    return b"".join(
        value + MEMOIZE_ONLY for value in (*classes, zeros, *map(plain, (*KEYS, *names)))
    )


def write_trees(out: io.BytesIO, forest: ArrayForest) -> None:
    """Write the attributes `trees` and `_tree_nodes`; the reader's memo numbers the nodes as they come, depth first."""
    template, places = tree_template(forest.height)
    tree = np.frombuffer(template, np.uint8).copy()
    field: np.ndarray = (
        np.ndarray(  # a split at every byte: the right ones are picked by their places
            (len(tree) - SPLIT.itemsize + 1,), SPLIT, tree.data, strides=(1,)
        )
    )
    splits = np.empty(len(places), SPLIT)
    splits["key"] = np.void(get(THRESHOLD) + pickle.BINFLOAT)
    order = np.argsort(depth_first(forest.height))
    out.write(plain("trees") + pickle.EMPTY_LIST + pickle.MARK)
    for features, thresholds in zip(forest.features, forest.thresholds, strict=True):
        splits["feature"] = features[order].astype(np.uint32) + FIRST_NAME
        splits["threshold"] = thresholds[order]
        field[places] = splits
        out.write(tree.data)
    out.write(pickle.APPENDS)

    n_nodes, first_node = forest.l_mass.shape[1], FIRST_NAME + len(forest.names)
    gets = np.empty(n_nodes, [("opcode", "S1"), ("node", "<u4")])
    gets["opcode"] = pickle.LONG_BINGET
    out.write(plain("_tree_nodes") + pickle.EMPTY_LIST + pickle.MARK)
    for index in range(forest.n_trees):
        gets["node"] = np.arange(n_nodes) + first_node + index * n_nodes
        out.write(pickle.EMPTY_LIST + pickle.MARK)
        out.write(gets.view(np.uint8).data)
        out.write(pickle.APPENDS)
    out.write(pickle.APPENDS)
    out.write(masses(forest, first_node))


def tree_template(height: int) -> tuple[bytes, np.ndarray]:
    """Give the opcodes of one tree, and where in them the branches' splits belong, depth first.

    A branch opens, its children follow, and it closes: they are on the reader's stack by then.
    """
    new = pickle.EMPTY_TUPLE + pickle.NEWOBJ + pickle.MEMOIZE
    no_masses = get(ZEROS) + pickle.BUILD
    opens = get(BRANCH) + new + pickle.EMPTY_DICT + pickle.MARK + get(CHILDREN)
    closes = pickle.TUPLE2 + get(FEATURE) + pickle.LONG_BINGET
    split_at = len(closes)
    closes += bytes(SPLIT.itemsize) + pickle.SETITEMS + pickle.BUILD + no_masses
    tree = get(LEAF) + new + no_masses
    places = np.empty(0, np.intp)
    for _ in range(height):
        left, right = places + len(opens), places + len(opens) + len(tree)
        places = np.concatenate([[len(opens) + 2 * len(tree) + split_at], left, right])
        tree = opens + 2 * tree + closes
    return tree, places


def masses(forest: ArrayForest, first_node: int) -> bytes:
    """Set the masses of the nodes that events have passed: get the node, give it a dictionary, drop it."""
    order = np.argsort(depth_first(forest.height + 1))
    l_mass, r_mass = (part[:, order].reshape(-1) for part in (forest.l_mass, forest.r_mass))
    (nodes,) = np.nonzero(l_mass | r_mass)
    parts = {
        "get": (np.void(pickle.LONG_BINGET), first_node + nodes),
        "l": (
            np.void(pickle.EMPTY_DICT + pickle.MARK + get(L_MASS) + pickle.BININT),
            l_mass[nodes],
        ),
        "r": (np.void(get(R_MASS) + pickle.BININT), r_mass[nodes]),
    }
    fields = [
        (f"{name}{i}", opcodes.dtype if i else "<i4")
        for name, (opcodes, _) in parts.items()
        for i in (1, 0)
    ]
    records = np.empty(len(nodes), [*fields, ("end", "V3")])
    for name, (opcodes, values) in parts.items():
        records[f"{name}1"], records[f"{name}0"] = opcodes, values
    records["end"] = np.void(pickle.SETITEMS + pickle.BUILD + pickle.POP)
    return records.tobytes()


def get(place: int) -> bytes:
    """Fetch from the reader's memo."""
    return pickle.BINGET + bytes([place])
