"""The model as readers know it: a pickle of `{"hst": ..., "sad": ...}`. Written for them, and read without trusting it.

A pickle is a program. So one that comes from Redis is read by an allow-list: it can make the objects that a model
consists of and nothing else.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import ModuleType
from typing import Any

from river.anomaly import HalfSpaceTrees

from retraining_job.collector import collector_off
from retraining_job.contract import Tunables, environment_name, value_name
from retraining_job.deviation import StandardAbsoluteDeviation

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


class UnreadableModel(Exception):
    """A model cannot be read; the text says what is wrong, as the end of a sentence."""


@dataclass(frozen=True)
class Model:
    """A forest and a deviation score."""

    hst: HalfSpaceTrees
    sad: StandardAbsoluteDeviation


def dumped(model: Model, deviation_class: str) -> bytes:
    """Pickle a model for its readers, the deviation score under the name that they import it by."""
    with collector_off(), standing_in(deviation_class) as named:
        sad = named.__new__(named)
        vars(sad).update(vars(model.sad))
        return pickle.dumps({"hst": model.hst, "sad": sad})


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
    top = module_name.partition(".")[0]  # pickle imports a.b.c as Python does, the package `a` first
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
            UnreadableModel: it names something else.
        """
        full_name = f"{module}.{name}"
        if full_name in self.deviation_classes:
            return StandardAbsoluteDeviation
        if full_name in FOREST_GLOBALS:
            return super().find_class(module, name)
        if module.partition(".")[0] == "river":
            raise UnreadableModel(
                f"it was written by another release of river than the {version('river')} of this trainer: "
                f"it names {full_name}"
            )
        raise UnreadableModel(
            f"it names {full_name}, which is not part of a model, so it was not loaded; if that is your class of the "
            f"deviation score, set {value_name('deviation_class')} ({environment_name('deviation_class')}) to it"
        )


def loaded(blob: bytes, deviation_class: str) -> Model:
    """Read a model's pickle.

    Raises:
        UnreadableModel: it is damaged, forged, or made of other classes or attributes than ours.
    """
    try:
        with collector_off():
            content = ModelUnpickler(blob, deviation_class).load()
    except UnreadableModel:
        raise
    except Exception as error:  # noqa: BLE001  # a forged pickle may raise anything
        raise UnreadableModel(f"it is no whole pickle ({type(error).__name__}: {error})") from None
    return checked(content)


def checked(content: object) -> Model:
    """Make sure that what was read is a model that can be scored with."""
    if not isinstance(content, dict) or set(content) != {"hst", "sad"}:
        raise UnreadableModel('it is no dictionary of "hst" and "sad"')
    hst, sad = content["hst"], content["sad"]
    if not isinstance(hst, HalfSpaceTrees):
        raise UnreadableModel('its "hst" is no river.anomaly.HalfSpaceTrees')
    if not isinstance(sad, StandardAbsoluteDeviation):
        raise UnreadableModel('its "sad" is no deviation score')
    for part, new in ((hst, HalfSpaceTrees()), (sad, StandardAbsoluteDeviation())):
        if missing := sorted(set(vars(new)) - set(vars(part))):
            raise UnreadableModel(f"its {type(part).__name__} lacks {', '.join(missing)}")
    if len(hst.trees) not in {0, hst.n_trees} or not 0 <= hst.height <= 64:  # what bounds the work of one score
        raise UnreadableModel("its forest has not the trees that it says")
    return Model(hst, sad)
