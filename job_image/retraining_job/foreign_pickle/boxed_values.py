"""What the opcodes of a pickle become: plain records, instead of objects of the named classes."""

from __future__ import annotations

from importlib.metadata import version

from retraining_job.contract import environment_name, value_name
from retraining_job.model.model import UnreadableModelError
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS

FOREST = "river.anomaly.hst.HalfSpaceTrees"
BRANCH = "river.tree.padded.PaddedBranch"
LEAF = "river.tree.padded.PaddedLeaf"
DEFAULTDICT = "collections.defaultdict"
PARTIAL = "functools.partial"
RANDOM = "random.Random"
TUPLE = "builtins.tuple"

FOREST_GLOBALS = frozenset({FOREST, BRANCH, LEAF, DEFAULTDICT, PARTIAL, RANDOM, TUPLE})
"""All globals in a pickle of river's half-space trees."""

DEVIATION = "the deviation score"
"""Stands for the class of the deviation score, whose name is a setting."""

CALLED = frozenset({DEFAULTDICT, PARTIAL, RANDOM})
"""The globals that a pickle of a model calls. The box records the call."""
CREATED = frozenset({FOREST, DEVIATION})
"""The globals of which a pickle of a model creates an object without a call, beside nodes."""


class Global:
    """A class or function that the pickle names. It is not imported.

    Args:
        name: Its full name.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Instance:
    """An object that the pickle describes. It is not created.

    Args:
        kind: The full name of its class.
    """

    __slots__ = ("items", "kind", "state")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.items: dict[object, object] = {}
        """The items of a dictionary."""
        self.state: object = None
        """The attributes. None until the pickle has set them."""


def find_global(module: str, name: str, deviation_class: str) -> Global:
    """Return the record for a global of the pickle.

    Args:
        module: Full name of its module.
        name: Its name in the module.
        deviation_class: Full name under which the live service imports the deviation score.

    Returns:
        The record.

    Raises:
        UnreadableModelError: No model needs this global.
    """
    full_name = f"{module}.{name}"
    if module == "__builtin__":  # Protocol 2 has the names of Python 2.
        full_name = f"builtins.{name}"
    if full_name in {deviation_class, DEFAULT_DEVIATION_CLASS}:
        return Global(DEVIATION)
    if full_name in FOREST_GLOBALS:
        return Global(full_name)
    shown = full_name[:200]
    if module.partition(".")[0] == "river":
        raise UnreadableModelError(
            "it was written with a different release of river than the "
            f"{version('river')} of this trainer: it contains {shown}"
        )
    raise UnreadableModelError(
        f"it contains {shown}, which is not part of a model, so it was not loaded; if this "
        f"is your class of the deviation score, set {value_name('deviation_class')} "
        f"({environment_name('deviation_class')}) to it"
    )
