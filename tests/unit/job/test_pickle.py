"""Pickle of a model: written for readers, and read without trusting it."""

import importlib.util
import io
import os
import pickle
import pickletools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees

import retraining_job.deviation
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.foreign_pickle.reader import read_pickle
from retraining_job.model.forest import train_river_forest
from retraining_job.model.model import Model, UnreadableModelError, are_identical
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS, write_pickle
from retraining_job.model.state import write_state

FOREIGN = "scoring.ensemble.RunningDeviation"
EVENTS = [{"amount": float(i % 7) / 7, "hour": float(i % 24) / 24} for i in range(130)]


@pytest.fixture(scope="module")
def model() -> Model:
    deviation = StandardAbsoluteDeviation("amount")
    for features in EVENTS:
        deviation.learn_one(features)
    return Model(
        train_river_forest(EVENTS, n_trees=3, height=4, window_size=20, seed=42), deviation
    )


@pytest.fixture(scope="module")
def blob(model: Model) -> bytes:
    return write_pickle(model, DEFAULT_DEVIATION_CLASS)


@pytest.fixture
def reader_module(tmp_path: Path) -> Iterator[type]:
    """A reader's module that has the deviation score's class under the reader's name."""
    text = (
        Path(retraining_job.deviation.__file__)
        .read_text()
        .replace("class StandardAbsoluteDeviation", "class RunningDeviation")
    )
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / "ensemble.py").write_text(text)
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    yield importlib.import_module("scoring.ensemble").RunningDeviation
    sys.path.remove(str(tmp_path))
    for name in ("scoring", "scoring.ensemble"):
        del sys.modules[name]


def test_reader_gets_rivers_own_forest(model: Model, blob: bytes) -> None:
    content = pickle.loads(blob)  # noqa: S301  # as the old scoring service reads it
    assert set(content) == {"hst", "sad"}
    assert type(content["hst"]) is HalfSpaceTrees
    assert type(content["sad"]) is StandardAbsoluteDeviation
    for features in EVENTS:
        assert content["hst"].score_one(features) == model.hst.score_one(features)
        assert content["sad"].score_one(features) == model.sad.score_one(features)


def test_deviation_has_the_readers_class_name(model: Model, reader_module: type) -> None:
    blob = write_pickle(model, FOREIGN)
    assert b"retraining_job" not in blob
    content = pickle.loads(blob)  # noqa: S301
    assert type(content["sad"]) is reader_module
    assert vars(content["sad"]) == vars(model.sad)


def test_readers_name_needs_no_module_here(model: Model) -> None:
    before = dict(sys.modules)
    blob = write_pickle(model, FOREIGN)
    assert sys.modules == before
    assert vars(read_pickle(blob, FOREIGN).sad) == vars(model.sad)


def test_model_is_the_same_after_writing_and_reading(model: Model, blob: bytes) -> None:
    again = read_pickle(blob, DEFAULT_DEVIATION_CLASS)
    assert [again.hst.score_one(features) for features in EVENTS] == [
        model.hst.score_one(features) for features in EVENTS
    ]
    assert are_identical(again, model)
    assert again.feature_names == model.feature_names
    assert write_state(again) is None, "its trees need not follow from a seed"


def test_champion_written_under_the_default_name_stays_readable(model: Model, blob: bytes) -> None:
    assert vars(read_pickle(blob, FOREIGN).sad) == vars(model.sad)


class Exploit:
    """Runs a command when it is unpickled without an allow-list."""

    def __init__(self, action: Callable[..., object], *arguments: object) -> None:
        self.action, self.arguments = action, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.action, self.arguments


@pytest.mark.parametrize(
    ("action", "name"),
    [
        pytest.param(os.system, "posix.system", id="a shell command"),
        pytest.param(eval, "builtins.eval", id="Python's eval"),
        pytest.param(getattr, "builtins.getattr", id="attribute access"),
        pytest.param(importlib.import_module, "importlib.import_module", id="an import"),
        pytest.param(io.open, "io.open", id="a file"),
    ],
)
def test_forged_pickle_is_refused_before_it_runs(
    action: Callable[..., object], name: str, tmp_path: Path, blob: bytes
) -> None:
    mark = tmp_path / "mark"
    forest = pickle.loads(blob)["hst"]  # noqa: S301
    forged = pickle.dumps({"hst": forest, "sad": Exploit(action, f"touch {mark}")})
    with pytest.raises(UnreadableModelError, match=f"contains {name}.*not loaded"):
        read_pickle(forged, DEFAULT_DEVIATION_CLASS)
    assert not mark.exists()


def test_other_release_of_river_is_named() -> None:
    older = b"\x80\x04\x8c\x11river.anomaly.hst\x94\x8c\x09HSTBranch\x94\x93\x94."
    with pytest.raises(
        UnreadableModelError,
        match=r"a different release of river than the 0\.26.*river\.anomaly\.hst\.HSTBranch",
    ):
        read_pickle(older, DEFAULT_DEVIATION_CLASS)


def test_foreign_deviation_is_refused_with_the_setting_to_change(model: Model) -> None:
    with pytest.raises(
        UnreadableModelError, match=r"trainer\.deviationClass \(RETRAIN_DEVIATION_CLASS\)"
    ):
        read_pickle(write_pickle(model, FOREIGN), DEFAULT_DEVIATION_CLASS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param([1, 2], 'not a dictionary of "hst" and "sad"', id="a list"),
        pytest.param({"hst": 1}, 'not a dictionary of "hst" and "sad"', id="half a model"),
        pytest.param({"hst": 1, "sad": 2}, 'its "hst" is not a river', id="numbers"),
        pytest.param(
            {"hst": HalfSpaceTrees(), "sad": 2},
            'its "sad" is not a deviation',
            id="no deviation score",
        ),
    ],
)
def test_object_that_is_no_model_is_refused(content: object, problem: str) -> None:
    with pytest.raises(UnreadableModelError, match=problem):
        read_pickle(pickle.dumps(content), DEFAULT_DEVIATION_CLASS)


def test_deviation_with_other_attributes_is_refused() -> None:
    deviation = StandardAbsoluteDeviation()
    del deviation.squares
    with pytest.raises(
        UnreadableModelError, match="StandardAbsoluteDeviation lacks the attributes squares"
    ):
        read_pickle(
            pickle.dumps({"hst": HalfSpaceTrees(), "sad": deviation}), DEFAULT_DEVIATION_CLASS
        )


def test_forest_that_claims_other_trees_is_refused(blob: bytes) -> None:
    content = pickle.loads(blob)  # noqa: S301
    content["hst"].height = 10**9
    with pytest.raises(UnreadableModelError, match="height of its forest is not a whole number"):
        read_pickle(pickle.dumps(content), DEFAULT_DEVIATION_CLASS)


@settings(deadline=None)
@given(data=st.data())
def test_damaged_pickle_is_refused_or_read_but_never_anything_else(
    blob: bytes, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(blob) - 1))
    flips = data.draw(
        st.dictionaries(st.integers(0, len(blob) - 1), st.integers(0, 255), max_size=3)
    )
    damaged = bytearray(blob)
    for position, value in flips.items():
        damaged[position] = value
    for candidate in (bytes(damaged), bytes(damaged[:cut])):
        try:
            read_pickle(candidate, DEFAULT_DEVIATION_CLASS)
        except UnreadableModelError as error:
            assert str(error)  # noqa: PT017


def test_truncated_pickle_is_refused(blob: bytes) -> None:
    for length in (0, 1, len(blob) // 2, len(blob) - 1):
        with pytest.raises(UnreadableModelError, match="not a complete pickle"):
            read_pickle(blob[:length], DEFAULT_DEVIATION_CLASS)


def test_pickle_with_attributes_of_other_types_is_refused() -> None:
    forest = HalfSpaceTrees(n_trees=1, height=2, window_size=1, seed=1)
    forest.trees = 5  # type: ignore[assignment]
    blob = pickle.dumps({"hst": forest, "sad": StandardAbsoluteDeviation()})
    with pytest.raises(
        UnreadableModelError, match="attribute trees of its forest is not a list of trees"
    ):
        read_pickle(blob, DEFAULT_DEVIATION_CLASS)


def test_pickle_names_only_what_the_allow_list_has(blob: bytes) -> None:
    strings: list[str] = []
    names = set()
    for opcode, argument, _ in pickletools.genops(blob):
        if isinstance(argument, str):
            strings.append(argument)
        if opcode.name == "STACK_GLOBAL":
            names.add(".".join(strings[-2:]))
    assert "river.anomaly.hst.HalfSpaceTrees" in names
    assert DEFAULT_DEVIATION_CLASS in names
