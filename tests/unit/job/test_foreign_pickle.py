"""A foreign champion is read to the last bit, whatever protocol its pickle has."""

import pickle
import pickletools
import random
from typing import Any

import numpy as np
import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.foreign_pickle.box import Box
from retraining_job.foreign_pickle.node_runs import NodeRuns
from retraining_job.foreign_pickle.reader import read_pickle
from retraining_job.model.array_forest import ArrayForest, build_matrix
from retraining_job.model.model import Model, are_identical, compute_forest_scores
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS, write_pickle
from tests.unit.job.foreign_pickles import NAMES, train_foreign_model, write_foreign_pickle

SHAPES = [
    {"events": 0},
    {"events": 12, "height": 0, "window_size": 5},
    {"events": 7, "n_trees": 1, "height": 1, "window_size": 3},
    {"events": 55},
    {"events": 19},
    {"events": 700, "n_trees": 2, "height": 6, "window_size": 300},
    {"events": 120, "n_trees": 4, "height": 10, "window_size": 50},
]
WRITERS: list[Any] = [
    pytest.param(pickle.dumps, id="C"),
    pytest.param(pickle._dumps, id="Python"),  # type: ignore[attr-defined]
    pytest.param(lambda *args: pickletools.optimize(pickle.dumps(*args)), id="optimized"),
]
generator = random.Random(8)  # noqa: S311
PROBES = [
    {name: generator.random() for name in NAMES if generator.random() < 0.9} for _ in range(40)
]


def assert_is_read(blob: bytes, model: Model) -> None:
    read = read_pickle(blob, DEFAULT_DEVIATION_CLASS)
    assert isinstance(read.hst, ArrayForest)
    assert are_identical(read, model)
    assert read.feature_names == model.feature_names
    scores = compute_forest_scores(read, NAMES, build_matrix(PROBES, NAMES)).tolist()
    assert scores == [model.hst.score_one(features) for features in PROBES]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_foreign_model_is_read_to_the_last_bit(
    protocol: int, writer: Any, shape: dict[str, int]
) -> None:
    model = train_foreign_model(**shape)
    assert_is_read(writer({"hst": model.hst, "sad": model.sad}, protocol), model)


def test_reading_opcode_by_opcode_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NodeRuns, "run", lambda _self, position: position)
    model = train_foreign_model()
    for protocol in (2, 4):
        assert_is_read(write_foreign_pickle(model, protocol), model)


def test_nearly_all_of_a_pickle_is_read_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    plain = Box.read

    def count(self: Box, length: int) -> bytes:
        read.append(length)
        return plain(self, length)

    monkeypatch.setattr(Box, "read", count)
    model = train_foreign_model(120, n_trees=8, height=10, window_size=50)
    forest = ArrayForest.grow(NAMES, n_trees=8, height=10, window_size=50, seed=1)
    forest.learn_many(np.random.default_rng(1).random((120, len(NAMES))))
    own = write_pickle(Model(forest, model.sad), DEFAULT_DEVIATION_CLASS)
    for blob in (*(write_foreign_pickle(model, protocol) for protocol in (2, 5)), own):
        read.clear()
        read_pickle(blob, DEFAULT_DEVIATION_CLASS)
        assert len(read) < 6_000


def test_limits_of_the_service_and_attributes_of_its_class_are_read() -> None:
    forest = HalfSpaceTrees(
        n_trees=2, height=3, window_size=4, seed=1, limits={"a": (0.0, 5.0), "zz": (1, 2)}
    )
    deviation = StandardAbsoluteDeviation("a")
    for value in (1.0, 2.0, 4.5, 3.0, 2.0):
        forest.learn_one({"a": value, "b": 0.5})
        deviation.learn_one({"a": value})
    deviation.note = ["mine", {"x": (1, None)}]  # type: ignore[attr-defined]
    read = read_pickle(pickle.dumps({"hst": forest, "sad": deviation}), DEFAULT_DEVIATION_CLASS)
    assert read.feature_names == ("a", "b", "zz")
    event = {"a": 3.0, "b": 0.2}
    assert read.hst.score_one(event) == forest.score_one(event)
    assert read.sad.score_one(event) == deviation.score_one(event)


def test_large_numbers_of_events_are_read() -> None:
    model = train_foreign_model()
    model.sad.count = 2**40
    for mass in (255, 256, 65_535, 65_536, 1_000_000):
        model.hst.window_size = 1_000_000
        model.hst.trees[0].r_mass = mass  # type: ignore[union-attr]
        assert_is_read(write_foreign_pickle(model), model)
