"""Every forged pickle ends with one sentence: without a call, without memory, without a hang."""

import pickle
import re
import resource
import struct
from typing import Any

import pytest

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.foreign_pickle.node_runs import FIRST_BYTES, SCANS, NodeRuns
from retraining_job.foreign_pickle.reader import read_pickle
from retraining_job.model.model import UnreadableModelError
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS
from tests.unit.job.foreign_pickles import Change, forge, train_foreign_model, write_foreign_pickle

HEAD = b"\x80\x04"
MEGABYTES = 200


def refuse(blob: bytes) -> str:
    """Return why a pickle is refused. It must not take more memory than a small model."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableModelError) as refused:
        read_pickle(blob, DEFAULT_DEVIATION_CLASS)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEGABYTES * 1024
    message = str(refused.value)
    assert message == message.strip()
    assert len(message) < 500
    assert "\n" not in message
    return message


def name_class(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


CLASS_CHANGE = (
    HEAD + name_class(*DEFAULT_DEVIATION_CLASS.rsplit(".", 1)) + b"N}\x8c\x09score_oneNs\x86b."
)
DOUBLED = HEAD + b"(N" + b"".join(b"\x94h" + bytes([i]) + b"\x86" for i in range(40)) + b"Nd."


@pytest.mark.parametrize(
    ("blob", "problem"),
    [
        pytest.param(CLASS_CHANGE, "sets attributes of something that is not", id="S15 a class"),
        pytest.param(
            b"\x80\x04Nr\x00\x00\x00\x10.", "place 268,435,456 of its memo", id="S16 memo"
        ),
        pytest.param(
            HEAD + b"}N" + b"".join(b"\x94h" + bytes([i]) + b"\x86" for i in range(40)) + b"Ns.",
            "key that is no text",
            id="S17 a doubled tuple as a key",
        ),
        pytest.param(DOUBLED, "the opcode DICT", id="the same with another opcode"),
        pytest.param(HEAD + b"\x8b\xff\xff\xff\x7f", "number of 2,147,483,647", id="LONG4"),
        pytest.param(HEAD + b"\x8b\xff\xff\xff\xff", "number of 4,294,967,295", id="negative"),
        pytest.param(HEAD + b"\x8e" + b"\xff" * 8, "the opcode BINBYTES8", id="BINBYTES8"),
        pytest.param(HEAD + b"\x96" + b"\xff" * 8, "the opcode BYTEARRAY8", id="BYTEARRAY8"),
        pytest.param(HEAD + b"\x8d" + b"\xff" * 8, "a text of", id="BINUNICODE8"),
        pytest.param(HEAD + b"X\xff\xff\xff\xff", "a text of", id="BINUNICODE"),
        pytest.param(HEAD + b"\x8c\x02\xff\xfe.", "not UTF-8", id="no text"),
        pytest.param(HEAD + b"\x95" + b"\xff" * 8 + b"N.", "inside of a frame", id="FRAME"),
        pytest.param(HEAD + b"(" * 100_000, "inside each other", id="marks"),
        pytest.param(HEAD + b"]" * 2_000_000, "more texts, lists", id="empty lists"),
        pytest.param(HEAD + b"N" + b"\x85" * 2_000_000 + b".", "more texts, lists", id="nesting"),
        pytest.param(HEAD + b"N" * 4_200_000 + b".", "4,194,304 values", id="values"),
        pytest.param(HEAD + b"N" + b"\x94" * 2_000_000, "more values in its memo", id="memo"),
        pytest.param(HEAD + b"I1\n.", "the opcode INT", id="protocol 0"),
        pytest.param(b"\x80\x01N.", "protocol 1", id="an old protocol"),
        pytest.param(b"\x80\x09N.", "protocol 9", id="a coming protocol"),
        pytest.param(HEAD + b"\xff.", "the byte 0xff instead of an opcode", id="no opcode"),
        pytest.param(HEAD + b"P1\n.", "the opcode PERSID", id="a persistent object"),
        pytest.param(HEAD + b"\x82\x01.", "the opcode EXT1", id="the registry of extensions"),
        pytest.param(HEAD + b"(i" + b"os\nsystem\n.", "the opcode INST", id="INST"),
        pytest.param(HEAD + b"\x97.", "the opcode NEXT_BUFFER", id="a buffer"),
        pytest.param(HEAD + b"0.", "do not fit together", id="an empty stack"),
        pytest.param(HEAD + b"NR.", "do not fit together", id="a call of nothing"),
        pytest.param(HEAD + b"N(0e.", "do not fit together", id="items without a list"),
        pytest.param(HEAD + b"](a.", "do not fit together", id="an item behind a mark"),
        pytest.param(
            HEAD + name_class("random", "Random") + b"N\x85\x81.", "do not fit", id="NEWOBJ args"
        ),
        pytest.param(
            HEAD + name_class("builtins", "tuple") + b")R.", "calls builtins.tuple", id="a call"
        ),
        pytest.param(
            HEAD + name_class("functools", "partial") + name_class("random", "Random") + b"\x85R.",
            "calls functools.partial with something else",
            id="partial",
        ),
        pytest.param(HEAD + b"]\x94h\x00a.", "not a dictionary", id="a list in itself"),
        pytest.param(
            HEAD + name_class("random", "Random") + b")RK\x01bK\x02b.",
            "sets them twice",
            id="attributes twice",
        ),
        pytest.param(HEAD + b"c" + b"x" * 9_000, "inside of a name", id="an endless name"),
        pytest.param(
            HEAD + name_class("x" * 1_500, "y\\r") + b".", "not part of a model", id="a long name"
        ),
        pytest.param(b"", "not a complete pickle", id="nothing"),
        pytest.param(b"{}", "does not begin with", id="JSON"),
        pytest.param(b"\x1f\x8b\x08" + bytes(50), "does not begin with", id="gzip"),
    ],
)
def test_hostile_opcodes_are_refused(blob: bytes, problem: str) -> None:
    assert re.search(problem, refuse(blob))


def cycle(content: dict[str, Any]) -> None:
    tree = content["hst"].trees[0]
    tree.children = (tree, tree.children[1])


def share(content: dict[str, Any]) -> None:
    for tree in content["hst"].trees:
        node = tree
        while hasattr(node, "children"):
            node.children = (node.children[0], node.children[0])
            node = node.children[0]


def share_trees(content: dict[str, Any]) -> None:
    content["hst"].trees[1] = content["hst"].trees[0]


def cut(content: dict[str, Any]) -> None:
    tree = content["hst"].trees[0]
    tree.children = (tree.children[0], tree.children[0].children[0])


def set_forest(**attributes: Any) -> Change:
    return lambda content: content["hst"].__dict__.update(attributes)


def set_node(**attributes: Any) -> Change:
    return lambda content: content["hst"].trees[0].children[0].__dict__.update(attributes)


def set_deviation(**attributes: Any) -> Change:
    return lambda content: content["sad"].__dict__.update(attributes)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(set_forest(trees=3), "trees of its forest is not a list", id="S18 trees"),
        pytest.param(set_forest(height="x"), "height of its forest is not", id="S18 height"),
        pytest.param(set_forest(height=-1), "height of its forest is not", id="negative height"),
        pytest.param(set_forest(height=True), "height of its forest is not", id="true as height"),
        pytest.param(set_forest(height=5), "not all have the height of 5", id="too high"),
        pytest.param(set_forest(height=3), "not all have the height of 3", id="too low"),
        pytest.param(set_forest(n_trees=10**9), "n_trees of its forest is not", id="many trees"),
        pytest.param(set_forest(n_trees=4), "3 instead of 4", id="another number of trees"),
        pytest.param(set_forest(n_trees=1000, height=20), "16,777,216 nodes", id="size"),
        pytest.param(set_forest(window_size=0), "window_size of its forest", id="no window"),
        pytest.param(set_forest(window_size=NAN), "window_size of its forest", id="NaN window"),
        pytest.param(set_forest(window_size=10**400), "window_size of its", id="long number"),
        pytest.param(set_forest(counter=20), "counter of its forest", id="a full window"),
        pytest.param(set_forest(_first_window=1), "_first_window", id="a number for a truth"),
        pytest.param(set_forest(limits=[1]), "limits of its forest", id="limits"),
        pytest.param(set_forest(limits={1: 2}), "key that is no text", id="a numbered feature"),
        pytest.param(
            set_forest(limits=dict.fromkeys(map(str, range(10_001)))),
            "10,000 features|more texts",
            id="features",
        ),
        pytest.param(set_forest(trees=[]), "no trees, but counts events", id="no trees"),
        pytest.param(set_forest(trees=[1, 2, 3]), "not a list of trees", id="numbers as trees"),
        pytest.param(cycle, "not all have the height", id="cycle"),
        pytest.param(share, "in more than one place", id="shared parts"),
        pytest.param(share_trees, "in more than one place", id="a tree twice"),
        pytest.param(cut, "not all have the height", id="leaves in other depths"),
        pytest.param(set_node(threshold=NAN), "threshold in its trees", id="NaN"),
        pytest.param(set_node(threshold=INFINITE), "threshold in its trees", id="infinity"),
        pytest.param(set_node(threshold="1"), "threshold in its trees", id="a text"),
        pytest.param(set_node(feature=7), "feature whose name is no text", id="a number"),
        pytest.param(set_node(l_mass=-1), "mass of a node", id="a negative mass"),
        pytest.param(set_node(r_mass=1.5), "mass of a node", id="a broken mass"),
        pytest.param(set_node(r_mass=10**9), "mass of a node", id="a great mass"),
        pytest.param(set_node(r_mass=21), "greater one than its window", id="more than a window"),
        pytest.param(set_node(children=()), "two nodes as its children", id="no children"),
        pytest.param(set_node(children=(1, 2)), "two nodes as its children", id="numbers"),
        pytest.param(set_node(extra=1), "attribute that river's nodes do not", id="attribute"),
        pytest.param(set_deviation(mean=NAN), "mean of its", id="NaN mean"),
        pytest.param(set_deviation(squares=-1.0), "squares of its", id="negative squares"),
        pytest.param(set_deviation(count=2**200), "count of its", id="endless count"),
        pytest.param(set_deviation(count="1"), "count of its", id="count"),
        pytest.param(set_deviation(feature=1), "feature of its", id="no name"),
        pytest.param(set_deviation(mean=10**400), "number of|mean of its", id="a long mean"),
    ],
)
def test_model_that_is_none_is_refused(change: Change, problem: str) -> None:
    assert re.search(problem, refuse(forge(change)))


def test_class_is_not_changed() -> None:
    before = dict(vars(StandardAbsoluteDeviation))
    refuse(CLASS_CHANGE)
    assert dict(vars(StandardAbsoluteDeviation)) == before


def test_every_truncated_pickle_is_refused() -> None:
    for protocol in (2, 4):
        blob = write_foreign_pickle(train_foreign_model(n_trees=1, height=2), protocol)
        for length in range(len(blob)):
            with pytest.raises(UnreadableModelError):
                read_pickle(blob[:length], DEFAULT_DEVIATION_CLASS)


def test_same_dictionary_is_not_applied_again_and_again() -> None:
    """Attributes of many nodes from one large dictionary would take quadratic time."""
    keys = b"".join(b"\x8c\x05" + f"k{number:04}".encode() + b"N" for number in range(9_000))
    node = b"c" + b"river.tree.padded\nPaddedLeaf\n" + b")\x81"
    assert "attribute that river's nodes" in refuse(
        HEAD + b"}\x94(" + keys + b"u" + node + b"h\x00b" * 1_000_000 + b"."
    )
    forest = name_class("river.anomaly.hst", "HalfSpaceTrees") + b")\x81h\x00b"
    assert "more than 100 attributes" in refuse(HEAD + b"}\x94(" + keys + b"u" + forest * 9)


def test_runs_that_never_end_are_searched_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Branches that open and never close would be searched for an end at each of them."""
    searched: list[int] = []
    plain = NodeRuns.divide

    def count(self: NodeRuns, pattern: re.Pattern[bytes], position: int, size: int) -> Any:
        searched.append(min(size, len(self.box.data) - position))
        return plain(self, pattern, position, size)

    monkeypatch.setattr(NodeRuns, "divide", count)
    memo = (
        name_class("river.tree.padded", "PaddedBranch") + b"\x94" + b"\x8c\x08children\x94" + b"00"
    )
    blob = HEAD + memo + b"h\x00)\x81}(h\x01" * 50_000
    assert "inside each other" in refuse(blob)
    assert sum(searched) < (SCANS + 1) * (len(blob) + FIRST_BYTES)


def test_length_of_a_value_is_checked_before_it_is_read() -> None:
    for opcode, size in ((b"\x8d", "<Q"), (b"X", "<I"), (b"\x8b", "<i")):
        refuse(HEAD + opcode + struct.pack(size, 2**31 - 1) + b"x" * 100)
    assert pickle.BINUNICODE8 == b"\x8d"
