"""Equivalence check: the array forest is used only if it agrees with the installed river."""

import logging
import pickle
import random
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import river.anomaly.hst
import river.tree.padded
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining_job.events.features import Features
from retraining_job.model import equivalence, forest_pickle, tree_growth
from retraining_job.model.array_forest import ArrayForest, build_matrix
from retraining_job.model.equivalence import check_equivalence
from retraining_job.model.forest import train_forest, train_forest_on_matrix
from retraining_job.model.tree_growth import ForestParameters
from tests.unit.job.forests import (
    EVENTS,
    NAMES,
    PARAMETERS_STRATEGY,
    WITH_GAPS,
    describe,
    equals_river,
    train_river,
)

PARAMETERS: ForestParameters = {"n_trees": 2, "height": 3, "window_size": 10, "seed": 42}
SOME = [{name: (i * place % 7) / 7 for place, name in enumerate(NAMES, 1)} for i in range(45)]

Change = Callable[[pytest.MonkeyPatch], None]
"""Replaces a part of river or of Python, as another version would."""


def test_installed_river_is_the_one_that_is_mirrored() -> None:
    assert check_equivalence() is None


def change_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = river.tree.padded.make_padded_tree
    monkeypatch.setattr(
        river.anomaly.hst,
        "make_padded_tree",
        lambda padding, **rest: plain(padding=padding + 0.01, **rest),
    )


def change_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = river.anomaly.hst.HalfSpaceTrees.score_one
    monkeypatch.setattr(
        river.anomaly.hst.HalfSpaceTrees, "score_one", lambda self, x: plain(self, x) / 2
    )


def change_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(root: Any, _x: Features, height: int) -> None:  # always to the right
        for _ in range(height):
            root.l_mass += 1
            root = root.children[1]
        root.l_mass += 1

    monkeypatch.setattr(river.anomaly.hst, "_walk_learn", walk)


def draw_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = river.anomaly.hst.HalfSpaceTrees.learn_one

    def learn_one(self: Any, x: Features) -> None:
        plain(self, x)
        self.rng.random()

    monkeypatch.setattr(river.anomaly.hst.HalfSpaceTrees, "learn_one", learn_one)


def add_forest_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = river.anomaly.hst.HalfSpaceTrees.__init__

    def init(self: Any, **rest: object) -> None:
        plain(self, **rest)
        self.added = 1

    monkeypatch.setattr(river.anomaly.hst.HalfSpaceTrees, "__init__", init)


def add_node_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = river.tree.padded.PaddedLeaf.__init__
    monkeypatch.setattr(
        river.tree.padded.PaddedLeaf, "__init__", lambda self, **rest: plain(self, added=1, **rest)
    )


def remove_leaf_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(river.tree.padded, "PaddedLeaf")


def move_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        equivalence,
        "import_half_space_trees",
        lambda: import_module("river.anomaly.nowhere"),
    )


def change_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random.Random, "choices", lambda _, population, **_weights: [population[0]])


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        pytest.param(change_padding, "in its nodes", id="another padding"),
        pytest.param(change_paths, "in its nodes", id="other paths"),
        pytest.param(change_scores, "in its scores", id="other scores"),
        pytest.param(draw_once_more, "in its random generator", id="one draw more"),
        pytest.param(change_choices, "in its nodes", id="another Python"),
        pytest.param(
            add_forest_attribute,
            "in the attributes in its pickle",
            id="a new attribute of the forest",
        ),
        pytest.param(
            add_node_attribute,
            "in the nodes in its pickle",
            id="a new attribute of the nodes",
        ),
        pytest.param(remove_leaf_class, r"failed \(.*PaddedLeaf", id="a class is elsewhere"),
        pytest.param(move_module, r"failed \(ModuleNotFoundError", id="no such module"),
    ],
)
def test_another_river_is_noticed(
    change: Change, difference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    assert re.search(difference, str(check_equivalence()))


def test_wrong_pickle_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest_pickle, "encode_masses", lambda _forest, _first_node: b"")
    assert "in the nodes in its pickle" in str(check_equivalence())


@pytest.mark.parametrize("change", [None, change_padding])
def test_array_forest_if_equivalent_and_river_with_a_warning_if_not(
    change: Change | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if change:
        change(monkeypatch)
    forests = [
        train_forest(SOME, **PARAMETERS),
        train_forest_on_matrix(NAMES, build_matrix(SOME, NAMES), **PARAMETERS),
    ]
    assert [isinstance(forest, ArrayForest) for forest in forests] == [not change] * 2
    warnings = [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    if not change:
        assert not warnings
        return
    assert len(warnings) == 2
    assert "Training with river's own forest" in warnings[0]
    assert "differs from the forest of the installed river in its nodes." in warnings[0]
    expected = describe(train_river(SOME, **PARAMETERS))
    for forest in forests:  # the result is that river's own
        assert describe(forest) == expected  # type: ignore[arg-type]


@pytest.mark.slow
@settings(deadline=None)
@given(events=EVENTS | st.lists(WITH_GAPS.filter(bool), max_size=5), parameters=PARAMETERS_STRATEGY)
def test_array_forest_and_river_give_the_same(
    events: list[Features], parameters: ForestParameters
) -> None:
    plain, fast = (
        train_forest(events, **parameters, check=check)
        for check in (lambda: "it is a test", lambda: None)
    )
    rivers_own = train_river(events, **parameters)
    assert describe(plain) == describe(rivers_own)  # type: ignore[arg-type]
    if events:
        assert equals_river(fast, rivers_own)  # type: ignore[arg-type]
    else:
        assert describe(fast) == describe(rivers_own)  # type: ignore[arg-type]


@pytest.mark.slow
@settings(deadline=None)
@given(events=EVENTS, parameters=PARAMETERS_STRATEGY)
def test_array_forest_and_river_write_the_scaling_into_the_trees(
    events: list[Features], parameters: ForestParameters
) -> None:
    def unscale(name: str, thresholds: np.ndarray) -> np.ndarray:
        factor: np.ndarray = np.sqrt(thresholds) * (1.0 + NAMES.index(name))
        return factor

    plain, fast = (
        train_forest_on_matrix(
            NAMES, build_matrix(events, NAMES), unscale=unscale, check=check, **parameters
        )
        for check in (lambda: "it is a test", lambda: None)
    )
    assert equals_river(fast, plain)  # type: ignore[arg-type]
    blob = forest_pickle.pickle_forest(fast, None)  # type: ignore[arg-type]
    read = pickle.loads(blob)["hst"]  # noqa: S301
    assert describe(read) == describe(plain)  # type: ignore[arg-type]


def test_another_padding_of_the_array_forest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_growth, "PADDING", 0.150001)
    assert "in its nodes" in str(check_equivalence())
