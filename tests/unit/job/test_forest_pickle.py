"""Pickle of an array forest: readers get river's own forest."""

import io
import pickle
import pickletools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.events.features import Features
from retraining_job.foreign_pickle.reader import read_pickle
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.forest_pickle import pickle_forest
from retraining_job.model.model import Model, are_identical
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS, write_pickle
from retraining_job.model.tree_growth import ForestParameters
from tests.unit.job.forests import (
    EVENTS,
    NAMES,
    PARAMETERS_STRATEGY,
    WITH_GAPS,
    describe,
    train_arrays,
    train_river,
)

PARAMETERS: ForestParameters = {"n_trees": 3, "height": 4, "window_size": 10, "seed": 42}
SOME = [{name: (i * place % 7) / 7 for place, name in enumerate(NAMES, 1)} for i in range(45)]


@pytest.mark.slow
@settings(deadline=None)
@given(events=EVENTS, parameters=PARAMETERS_STRATEGY, more=st.lists(WITH_GAPS, max_size=30))
def test_reader_gets_rivers_own_forest(
    events: list[Features], parameters: ForestParameters, more: list[Features]
) -> None:
    rivers = train_river(events, **parameters)
    blob = pickle_forest(train_arrays(events, **parameters), None)
    read = pickle.loads(blob)["hst"]  # noqa: S301
    assert type(read) is HalfSpaceTrees
    assert list(vars(read)) == list(vars(rivers))
    assert describe(read) == describe(rivers)
    for features in more:  # and it learns on as river's
        assert read.score_one(features) == rivers.score_one(features)
        read.learn_one(features)
        rivers.learn_one(features)
    assert describe(read) == describe(rivers)


def test_numbers_and_names_are_pythons_own() -> None:
    read = pickle.loads(pickle_forest(train_arrays(SOME, **PARAMETERS), None))["hst"]  # noqa: S301
    nodes = [node for tree in read._tree_nodes for node in tree]
    splits = [node for node in nodes if hasattr(node, "feature")]
    assert {type(mass) for node in nodes for mass in (node.l_mass, node.r_mass)} == {int}
    assert {type(node.threshold) for node in splits} == {float}
    assert len({id(node.feature) for node in splits}) == len({node.feature for node in splits})
    assert read.limits["never seen"] == (0.0, 1.0)


def test_reader_can_pickle_it_again() -> None:
    read = pickle.loads(pickle_forest(train_arrays(SOME, **PARAMETERS), None))  # noqa: S301
    again = pickle.loads(pickle.dumps(read))["hst"]  # noqa: S301
    assert describe(again) == describe(read["hst"])


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
    forest = ArrayForest.grow(names, **PARAMETERS)
    rivers = train_river([dict.fromkeys(names, 0.5)], **PARAMETERS)
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


def test_model_with_array_forest_is_written_for_readers_and_passes_the_allow_list() -> None:
    sad = StandardAbsoluteDeviation("amount")
    sad.learn_values([1.0, 2.0, 4.0])
    blob = write_pickle(Model(train_arrays(SOME, **PARAMETERS), sad), DEFAULT_DEVIATION_CLASS)
    pickletools.dis(blob, out=io.StringIO())  # raises an error if the stream is invalid
    unpickled = Model(**pickle.loads(blob))  # noqa: S301
    assert isinstance(unpickled.hst, HalfSpaceTrees)
    assert describe(unpickled.hst) == describe(train_river(SOME, **PARAMETERS))
    for read in (read_pickle(blob, DEFAULT_DEVIATION_CLASS), unpickled):
        assert are_identical(read, unpickled)
        assert vars(read.sad) == vars(sad)


def test_deviation_has_the_readers_class_name() -> None:
    blob = write_pickle(
        Model(train_arrays(SOME, **PARAMETERS), StandardAbsoluteDeviation()),
        "scoring.ensemble.Deviation",
    )
    assert b"retraining_job" not in blob
    assert vars(read_pickle(blob, "scoring.ensemble.Deviation").sad) == vars(
        StandardAbsoluteDeviation()
    )
