"""Pickle of a model, as the live service reads it: `{"hst": forest, "sad": deviation score}`."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from retraining_job.contract import Tunables
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.forest_pickle import pickle_forest
from retraining_job.model.garbage import pause_garbage_collection
from retraining_job.model.model import Model

DEFAULT_DEVIATION_CLASS = str(Tunables.model_fields["deviation_class"].default)


def write_pickle(model: Model, deviation_class: str) -> bytes:
    """Build the pickle of a model.

    Args:
        model: The model.
        deviation_class: Full name under which the live service imports the deviation score.

    Returns:
        The pickle.
    """
    with pause_garbage_collection(), importable_deviation_class(deviation_class) as named:
        sad = named.__new__(named)
        vars(sad).update(vars(model.sad))
        if isinstance(model.hst, ArrayForest):
            return pickle_forest(model.hst, sad)
        return pickle.dumps({"hst": model.hst, "sad": sad})


@contextmanager
def importable_deviation_class(class_name: str) -> Iterator[type[StandardAbsoluteDeviation]]:
    """Create a class of the deviation score that can be imported under another name.

    `pickle` refuses a class that it cannot import by its name. Therefore the modules in the name
    exist as long as the block runs.

    Args:
        class_name: Full name of the class.

    Yields:
        The class.
    """
    if class_name == DEFAULT_DEVIATION_CLASS:
        yield StandardAbsoluteDeviation
        return
    module_name, _, name = class_name.rpartition(".")
    named = type(name, (StandardAbsoluteDeviation,), {"__module__": module_name})
    module = ModuleType(module_name)
    setattr(module, name, named)
    top = module_name.partition(".")[0]  # to import a.b.c, Python imports the package a first
    temporary = {top: sys.modules.get(top, ModuleType(top)), module_name: module}
    before = {key: sys.modules[key] for key in temporary if key in sys.modules}
    sys.modules.update(temporary)
    try:
        yield named
    finally:
        for key in temporary:
            del sys.modules[key]
        sys.modules.update(before)
