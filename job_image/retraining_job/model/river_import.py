"""Imports river's forest with as little of river as possible."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from river.anomaly import HalfSpaceTrees

MODULE = "river.anomaly.hst"


def import_half_space_trees() -> type[HalfSpaceTrees]:
    """Return river's own class `river.anomaly.hst.HalfSpaceTrees`.

    A plain import first runs the `__init__` of the packages that contain its module. They load all
    anomaly detectors, all trees and scipy, which takes 1 s and 80 MB. Therefore they are skipped:
    the module itself needs only two other small modules.
    """
    forest: type[HalfSpaceTrees] = import_forest_module().HalfSpaceTrees
    return forest


def import_forest_module() -> ModuleType:
    """Return the module of the forest.

    If the short import fails, as it may with another release of river, the plain import is used.
    """
    if MODULE in sys.modules:
        return sys.modules[MODULE]
    try:
        with skip_package_init("river.anomaly", "river.tree"):
            return import_module(MODULE)
    except Exception:  # noqa: BLE001  # the plain import reports errors better
        return import_module(MODULE)


@contextmanager
def skip_package_init(*names: str) -> Iterator[None]:
    """Run a block in which packages can be imported without running their `__init__`.

    A later import of one of them loads it completely.

    Args:
        *names: Full names of the packages.
    """
    placed = []
    try:
        for name in names:
            spec = find_spec(name)
            if name not in sys.modules and spec is not None:
                sys.modules[name] = module_from_spec(spec)
                placed.append(name)
        yield
    finally:
        for name in placed:
            del sys.modules[name]
