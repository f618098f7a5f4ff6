"""Reading of a model's pickle without trusting it.

A pickle is a program. Therefore one that comes from Redis is read with an allow-list: it can create
the objects that a model consists of, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from importlib.metadata import version
from typing import Any

from retraining_job.contract import environment_name, value_name
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.garbage import pause_garbage_collection
from retraining_job.model.model import Model, UnreadableModelError
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS
from retraining_job.model.river_import import import_half_space_trees

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
"""All globals in a pickle of river's half-space trees."""

HEIGHT_LIMIT = 64
"""Largest height that is accepted. It bounds the work of one score."""


class ModelUnpickler(pickle.Unpickler):
    """Reads a model's pickle and refuses every global that no model needs.

    Args:
        blob: The pickle.
        deviation_class: Full name under which the live service imports the deviation score.
    """

    def __init__(self, blob: bytes, deviation_class: str) -> None:
        super().__init__(io.BytesIO(blob))
        self.deviation_classes = {deviation_class, DEFAULT_DEVIATION_CLASS}

    def find_class(self, module: str, name: str) -> Any:
        """Return a global of the pickle.

        Args:
            module: Full name of its module.
            name: Its name in the module.

        Returns:
            The class.

        Raises:
            UnreadableModelError: No model needs it.
        """
        full_name = f"{module}.{name}"
        if full_name in self.deviation_classes:
            return StandardAbsoluteDeviation
        if full_name in FOREST_GLOBALS:
            import_half_space_trees()  # so that the import below does not load all of river
            return super().find_class(module, name)
        if module.partition(".")[0] == "river":
            raise UnreadableModelError(
                "it was written with a different release of river than the "
                f"{version('river')} of this trainer: it contains {full_name}"
            )
        raise UnreadableModelError(
            f"it contains {full_name}, which is not part of a model, so it was not loaded; if this "
            f"is your class of the deviation score, set {value_name('deviation_class')} "
            f"({environment_name('deviation_class')}) to it"
        )


def read_pickle(blob: bytes, deviation_class: str) -> Model:
    """Read a model's pickle.

    Args:
        blob: The pickle.
        deviation_class: Full name under which the live service imports the deviation score.

    Returns:
        The model, with river's own forest.

    Raises:
        UnreadableModelError: The pickle is damaged or forged, or has other classes or attributes
            than a model.
    """
    try:
        with pause_garbage_collection():
            content = ModelUnpickler(blob, deviation_class).load()
    except UnreadableModelError:
        raise
    except Exception as error:  # noqa: BLE001  # a forged pickle may raise anything
        raise UnreadableModelError(
            f"it is not a complete pickle ({type(error).__name__}: {error})"
        ) from None
    try:
        return build_model(content)
    except UnreadableModelError:
        raise
    except Exception as error:  # noqa: BLE001  # its attributes may be anything
        raise UnreadableModelError(
            f"its attributes are not those of a model ({type(error).__name__}: {error})"
        ) from None


def build_model(content: object) -> Model:
    """Build a model from the content of a pickle.

    Raises:
        UnreadableModelError: The content is not a model that can score.
    """
    if not isinstance(content, dict) or set(content) != {"hst", "sad"}:
        raise UnreadableModelError('it is not a dictionary of "hst" and "sad"')
    hst, sad = content["hst"], content["sad"]
    forest_class = import_half_space_trees()
    if not isinstance(hst, forest_class):
        raise UnreadableModelError('its "hst" is not a river.anomaly.HalfSpaceTrees')
    if not isinstance(sad, StandardAbsoluteDeviation):
        raise UnreadableModelError('its "sad" is not a deviation score')
    for part, new in ((hst, forest_class()), (sad, StandardAbsoluteDeviation())):
        if missing := sorted(set(vars(new)) - set(vars(part))):
            raise UnreadableModelError(
                f"its {type(part).__name__} lacks the attributes {', '.join(missing)}"
            )
    if len(hst.trees) not in {0, hst.n_trees} or not 0 <= hst.height <= HEIGHT_LIMIT:
        raise UnreadableModelError("its forest does not have the trees that its attributes state")
    return Model(hst, sad)
