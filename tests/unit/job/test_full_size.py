"""A forest as large as the old service's: array forest, pickle and state equal river's."""

import itertools
import math
import pickle

import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest, build_matrix
from retraining_job.model.forest_pickle import pickle_forest
from retraining_job.model.garbage import pause_garbage_collection
from retraining_job.model.model import Model, are_identical
from retraining_job.model.state import read_state, write_state
from retraining_job.model.tree_growth import ForestParameters
from tests.unit.job.forests import equals_river, train_river

pytestmark = pytest.mark.slow

PARAMETERS: ForestParameters = {"n_trees": 25, "height": 15, "window_size": 250, "seed": 42}
NAMES = [f"feature_{i:02}" for i in range(11)]
VALUES = itertools.cycle(math.sin(i) / 2 + 0.5 for i in range(9_973))
EVENTS = [{name: next(VALUES) for name in NAMES} for _ in range(1_120)]
PROBES = EVENTS[::10]


@pytest.fixture(scope="module")
def rivers() -> HalfSpaceTrees:
    return train_river(EVENTS, **PARAMETERS)


@pytest.fixture(scope="module")
def arrays() -> ArrayForest:
    forest = ArrayForest.grow(NAMES, **PARAMETERS)
    forest.learn_many(build_matrix(EVENTS, NAMES))
    return forest


def test_arrays_are_rivers_own(arrays: ArrayForest, rivers: HalfSpaceTrees) -> None:
    assert equals_river(arrays, rivers)
    scores = arrays.score_many(build_matrix(PROBES, NAMES)).tolist()
    assert scores == [rivers.score_one(features) for features in PROBES]
    assert len(set(scores)) > 50


def test_reader_gets_rivers_own(arrays: ArrayForest) -> None:
    with pause_garbage_collection():
        read: HalfSpaceTrees = pickle.loads(pickle_forest(arrays, None))["hst"]  # noqa: S301
        assert equals_river(arrays, read)


def test_state_gives_the_same_again(arrays: ArrayForest) -> None:
    model = Model(arrays, StandardAbsoluteDeviation())
    text = write_state(model) or ""
    assert len(text) < 60_000
    assert are_identical(read_state(text), model)
