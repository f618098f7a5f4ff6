"""The pickle that is written from arrays: what a reader gets out of it."""

import pickle
import pickletools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.events.features import Features
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.forest_pickle import pickle_forest
from retraining_job.model.model import Model
from retraining_job.model.pickle_reader import read_pickle
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS, write_pickle
from tests.unit.job.forests import (
    EVENTS,
    NAMES,
    SHAPES,
    WITH_GAPS,
    content,
    learned_in_arrays,
    plainly_learned,
)

SHAPE = {"n_trees": 3, "height": 4, "window_size": 10, "seed": 42}
SOME = [{name: (i * place % 7) / 7 for place, name in enumerate(NAMES, 1)} for i in range(45)]


@settings(deadline=None)
@given(events=EVENTS, shape=SHAPES, more=st.lists(WITH_GAPS, max_size=30))
def test_reader_gets_rivers_own_forest(
    events: list[Features], shape: dict[str, int], more: list[Features]
) -> None:
    rivers = plainly_learned(events, **shape)
    read = pickle.loads(pickle_forest(learned_in_arrays(events, **shape), None))["hst"]  # noqa: S301
    assert type(read) is HalfSpaceTrees
    assert list(vars(read)) == list(vars(rivers))
    assert content(read) == content(rivers)
    for features in more:  # and it goes on as river's would
        assert read.score_one(features) == rivers.score_one(features)
        read.learn_one(features)
        rivers.learn_one(features)
    assert content(read) == content(rivers)


def test_numbers_and_names_are_pythons_own() -> None:
    read = pickle.loads(pickle_forest(learned_in_arrays(SOME, **SHAPE), None))["hst"]  # noqa: S301
    nodes = [node for tree in read._tree_nodes for node in tree]
    splits = [node for node in nodes if hasattr(node, "feature")]
    assert {type(mass) for node in nodes for mass in (node.l_mass, node.r_mass)} == {int}
    assert {type(node.threshold) for node in splits} == {float}
    assert len({id(node.feature) for node in splits}) == len({node.feature for node in splits})
    assert read.limits["never seen"] == (0.0, 1.0)


def test_reader_can_pickle_it_again() -> None:
    read = pickle.loads(pickle_forest(learned_in_arrays(SOME, **SHAPE), None))  # noqa: S301
    again = pickle.loads(pickle.dumps(read))["hst"]  # noqa: S301
    assert content(again) == content(read["hst"])


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["é", "数", "\ud800"], id="of any characters"),
        pytest.param([f"feature {i:04}" for i in range(600)], id="more than a byte can count"),
        pytest.param(["x" * 300], id="long ones"),
        pytest.param([""], id="none to see"),
    ],
)
def test_names_are_kept(names: list[str]) -> None:
    forest = ArrayForest.grow(names, **SHAPE)
    rivers = plainly_learned([dict.fromkeys(names, 0.5)], **SHAPE)
    read = pickle.loads(pickle_forest(forest, None))["hst"]  # noqa: S301
    pairs = zip(read._tree_nodes, rivers._tree_nodes, strict=True)
    for mine, theirs in pairs:
        assert [vars(node).get("feature") for node in mine] == [
            vars(node).get("feature") for node in theirs
        ]


def test_large_masses_are_kept() -> None:
    forest = ArrayForest.grow(["amount"], n_trees=1, height=1, window_size=1_000_000, seed=1)
    forest.l_mass[0], forest.r_mass[0] = [999_999, 70_000, 929_999], [1_000_000, 300, 999_700]
    (nodes,) = pickle.loads(pickle_forest(forest, None))["hst"]._tree_nodes  # noqa: S301
    assert [(node.l_mass, node.r_mass) for node in nodes] == [
        (999_999, 1_000_000),
        (70_000, 300),
        (929_999, 999_700),
    ]


def test_model_in_arrays_is_written_for_readers_and_read_by_the_allow_list() -> None:
    sad = StandardAbsoluteDeviation("amount")
    sad.learn_values([1.0, 2.0, 4.0])
    blob = write_pickle(Model(learned_in_arrays(SOME, **SHAPE), sad), DEFAULT_DEVIATION_CLASS)
    pickletools.dis(blob, out=open("/dev/null", "w"))  # noqa: PTH123, SIM115  # raises where the stream is not sound
    for read in (read_pickle(blob, DEFAULT_DEVIATION_CLASS), Model(**pickle.loads(blob))):  # noqa: S301
        assert content(read.hst) == content(plainly_learned(SOME, **SHAPE))
        assert vars(read.sad) == vars(sad)


def test_deviation_stands_under_the_readers_name() -> None:
    blob = write_pickle(
        Model(learned_in_arrays(SOME, **SHAPE), StandardAbsoluteDeviation()),
        "scoring.ensemble.Deviation",
    )
    assert b"retraining_job" not in blob
    assert vars(read_pickle(blob, "scoring.ensemble.Deviation").sad) == vars(
        StandardAbsoluteDeviation()
    )
