"""Scores by either kind of forest, and comparison of models."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.model import (
    Model,
    are_identical,
    compute_deviation_scores,
    compute_forest_scores,
)
from retraining_job.model.tree_growth import ForestParameters
from tests.unit.job.forests import NAMES, train_arrays, train_river

PARAMETERS: ForestParameters = {"n_trees": 3, "height": 4, "window_size": 10, "seed": 42}
SOME = [{name: (i * place % 7) / 7 for place, name in enumerate(NAMES, 1)} for i in range(45)]
COLUMNS = [
    "unknown",
    "zeta",
    "hour",
    "amount",
]  # another order, one that no tree knows, and `risk` is missing
MATRIX = np.random.default_rng(3).random((60, len(COLUMNS)))
MATRIX[::4, 1] = np.nan


def deviation(values: list[float]) -> StandardAbsoluteDeviation:
    made = StandardAbsoluteDeviation("amount")
    made.learn_values(values)
    return made


def model(kind: str, **other: int) -> Model:
    parameters: Any = PARAMETERS | other
    train = train_arrays if kind == "arrays" else train_river
    return Model(train(SOME, **parameters), deviation([1.0, 2.0, 4.0]))


@pytest.mark.parametrize("kind", ["arrays", "river"])
def test_columns_are_found_by_their_names(kind: str) -> None:
    made = model(kind)
    rows = [
        {name: value for name, value in zip(COLUMNS, row, strict=True) if not math.isnan(value)}
        for row in MATRIX
    ]
    forest = train_river(SOME, **PARAMETERS)
    assert compute_forest_scores(made, COLUMNS, MATRIX).tolist() == [
        forest.score_one(row) for row in rows
    ]
    assert compute_deviation_scores(made, COLUMNS, MATRIX).tolist() == [
        made.sad.score_one(row) for row in rows
    ]
    assert len(set(compute_forest_scores(made, COLUMNS, MATRIX).tolist())) > 5
    assert made.feature_names == tuple(NAMES)


def test_deviation_without_its_column_scores_nothing() -> None:
    assert compute_deviation_scores(model("arrays"), ["hour"], np.ones((3, 1))).tolist() == [
        0.0,
        0.0,
        0.0,
    ]


@given(learned=st.lists(st.floats(), max_size=8), probes=st.lists(st.floats(), min_size=1))
def test_deviation_of_many_is_that_of_each(learned: list[float], probes: list[float]) -> None:
    one_by_one = StandardAbsoluteDeviation("amount")
    for value in learned:
        one_by_one.learn_one({"amount": value})
    at_once = deviation(learned)
    assert repr(vars(at_once)) == repr(vars(one_by_one))  # nan is nan
    if one_by_one.squares < 0.0:
        return
    scores = Model(train_arrays(SOME, **PARAMETERS), at_once)
    found = compute_deviation_scores(scores, ["amount"], np.array(probes)[:, None]).tolist()
    assert repr(found) == repr([one_by_one.score_one({"amount": probe}) for probe in probes])


@pytest.mark.parametrize("mine", ["arrays", "river"])
@pytest.mark.parametrize("theirs", ["arrays", "river"])
def test_only_identical_models_are_identical(mine: str, theirs: str) -> None:
    champion = model(theirs)
    assert are_identical(model(mine), champion)
    for other in ({"seed": 43}, {"window_size": 9}, {"n_trees": 2}, {"height": 3}):
        assert not are_identical(model(mine, **other), champion)
    assert not are_identical(dataclasses.replace(model(mine), sad=deviation([1.0, 2.0])), champion)
    model_later = model(mine)
    if mine == "arrays":
        model_later.hst.learn_many(np.zeros((1, len(NAMES))))  # type: ignore[union-attr]
    else:
        model_later.hst.learn_one(dict.fromkeys(NAMES, 0.0))  # type: ignore[union-attr]
    assert not are_identical(model_later, champion)


def test_forged_forest_with_a_cycle_is_not_identical() -> None:
    forged = model("river")
    root = forged.hst.trees[0]  # type: ignore[union-attr]
    root.children = (root, root)
    assert not are_identical(model("arrays"), forged)
