"""The model as readers know it: a pickle of `{"hst": ..., "sad": ...}`. Written for them, and read without trusting it.

A pickle is a program. So one that comes from Redis is read by an allow-list: it can make the
objects that a model consists of and nothing else.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import zip_longest
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining_job.contract import Tunables, environment_name, value_name
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.garbage import collector_off
from retraining_job.model.nodes import event_of, nodes_of
from retraining_job.model.pickle_writer import emitted
from retraining_job.model.river_import import half_space_trees

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees

FOREST_GLOBALS = frozenset(
    {
        "builtins.tuple",
        "collections.defaultdict",
        "functools.partial",
        "random.Random",
        "river.anomaly.hst.HalfSpaceTrees",
        "river.tree.padded.PaddedBranch",
        "river.tree.padded.PaddedLeaf",
    }
)
"""All that a pickle of river's half-space trees names."""

DEFAULT_DEVIATION_CLASS = str(Tunables.model_fields["deviation_class"].default)


class UnreadableModelError(Exception):
    """A model cannot be read; the text says what is wrong, as the end of a sentence."""


@dataclass(frozen=True)
class Model:
    """A forest and a deviation score."""

    hst: ArrayForest | HalfSpaceTrees
    """In arrays where we made it; river's own where it was read from a pickle, or where plain river had to train it."""
    sad: StandardAbsoluteDeviation


def dumped(model: Model, deviation_class: str) -> bytes:
    """Pickle a model for its readers, the deviation score under the name that they import it by."""
    with collector_off(), standing_in(deviation_class) as named:
        sad = named.__new__(named)
        vars(sad).update(vars(model.sad))
        if isinstance(model.hst, ArrayForest):
            return emitted(model.hst, sad)
        return pickle.dumps({"hst": model.hst, "sad": sad})


def hst_scores(model: Model, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """Score events by the forest alone, which learns nothing from it: (events,).

    Args:
        model: either kind.
        names: the features of the columns, in any order; the forest takes those that it knows.
        matrix: (events, features), raw; NaN where an event has not the feature.
    """
    if isinstance(model.hst, ArrayForest):
        return model.hst.scores(in_columns(model.hst.names, names, matrix))
    scores = (model.hst.score_one(event_of(names, row)) for row in matrix)  # type: ignore[no-untyped-call]
    return np.fromiter(scores, np.float64, len(matrix))


def sad_scores(model: Model, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """Score events by the deviation alone: (events,); arguments as for `hst_scores`."""
    return model.sad.scores(in_columns([model.sad.feature], names, matrix)[:, 0])


def in_columns(wanted: Sequence[str], names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """Arrange columns anew, by their names: NaN where there is none of a name."""
    if tuple(wanted) == tuple(names):
        return matrix
    places = {name: column for column, name in enumerate(names)}
    arranged = np.full((len(matrix), len(wanted)), np.nan)
    for column, name in enumerate(wanted):
        if name in places:
            arranged[:, column] = matrix[:, places[name]]
    return arranged


def feature_names(model: Model) -> tuple[str, ...]:
    """Give the features that the forest splits, sorted; none where it has not learned anything yet."""
    if isinstance(model.hst, ArrayForest):
        return model.hst.names
    return tuple(
        sorted(map(str, model.hst.limits))
    )  # river asks for each feature's limits, which keeps it there


def identical(one: Model, other: Model) -> bool:
    """Tell whether two models score every event the same and will go on doing so: trees, masses and deviation."""
    if vars(one.sad) != vars(other.sad):
        return False
    if isinstance(one.hst, ArrayForest) and isinstance(other.hst, ArrayForest):
        return one.hst.equals(other.hst)
    shapes = [
        (hst.n_trees, hst.height, hst.window_size, hst.counter) for hst in (one.hst, other.hst)
    ]
    if shapes[0] != shapes[1]:
        return False
    pairs = zip_longest(nodes_of(one.hst), nodes_of(other.hst))
    return all(ours == theirs for ours, theirs in pairs)


@contextmanager
def standing_in(class_name: str) -> Iterator[type[StandardAbsoluteDeviation]]:
    """Give the deviation score's class under another name: pickle refuses a class that it cannot import by its name."""
    if class_name == DEFAULT_DEVIATION_CLASS:
        yield StandardAbsoluteDeviation
        return
    module_name, _, name = class_name.rpartition(".")
    named = type(name, (StandardAbsoluteDeviation,), {"__module__": module_name})
    module = ModuleType(module_name)
    setattr(module, name, named)
    top = module_name.partition(".")[
        0
    ]  # pickle imports a.b.c as Python does, the package `a` first
    stand_ins = {top: sys.modules.get(top, ModuleType(top)), module_name: module}
    before = {key: sys.modules[key] for key in stand_ins if key in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield named
    finally:
        for key in stand_ins:
            del sys.modules[key]
        sys.modules.update(before)


class ModelUnpickler(pickle.Unpickler):
    """Reads a model's pickle and refuses every global that no model needs."""

    def __init__(self, blob: bytes, deviation_class: str) -> None:
        super().__init__(io.BytesIO(blob))
        self.deviation_classes = {deviation_class, DEFAULT_DEVIATION_CLASS}

    def find_class(self, module: str, name: str) -> Any:
        """Give what a model may name.

        Raises:
            UnreadableModelError: it names something else.
        """
        full_name = f"{module}.{name}"
        if full_name in self.deviation_classes:
            return StandardAbsoluteDeviation
        if full_name in FOREST_GLOBALS:
            half_space_trees()  # loads what the names stand for, and not the whole of river
            return super().find_class(module, name)
        if module.partition(".")[0] == "river":
            raise UnreadableModelError(
                f"it was written by another release of river than the {version('river')} of this trainer: "
                f"it names {full_name}"
            )
        raise UnreadableModelError(
            f"it names {full_name}, which is not part of a model, so it was not loaded; if that is your class of the "
            f"deviation score, set {value_name('deviation_class')} ({environment_name('deviation_class')}) to it"
        )


def loaded(blob: bytes, deviation_class: str) -> Model:
    """Read a model's pickle.

    Raises:
        UnreadableModelError: it is damaged, forged, or made of other classes or attributes than ours.
    """
    try:
        with collector_off():
            content = ModelUnpickler(blob, deviation_class).load()
    except UnreadableModelError:
        raise
    except Exception as error:  # noqa: BLE001  # a forged pickle may raise anything
        raise UnreadableModelError(
            f"it is no whole pickle ({type(error).__name__}: {error})"
        ) from None
    return checked(content)


def checked(content: object) -> Model:
    """Make sure that what was read is a model that can be scored with."""
    if not isinstance(content, dict) or set(content) != {"hst", "sad"}:
        raise UnreadableModelError('it is no dictionary of "hst" and "sad"')
    hst, sad = content["hst"], content["sad"]
    forest_class = half_space_trees()
    if not isinstance(hst, forest_class):
        raise UnreadableModelError('its "hst" is no river.anomaly.HalfSpaceTrees')
    if not isinstance(sad, StandardAbsoluteDeviation):
        raise UnreadableModelError('its "sad" is no deviation score')
    for part, new in ((hst, forest_class()), (sad, StandardAbsoluteDeviation())):
        if missing := sorted(set(vars(new)) - set(vars(part))):
            raise UnreadableModelError(f"its {type(part).__name__} lacks {', '.join(missing)}")
    if (
        len(hst.trees) not in {0, hst.n_trees} or not 0 <= hst.height <= 64
    ):  # what bounds the work of one score
        raise UnreadableModelError("its forest has not the trees that it says")
    return Model(hst, sad)
