"""River's own forest: its class, loaded with no more of river than it needs.

Used by forest, model and proof.
"""

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


def half_space_trees() -> type[HalfSpaceTrees]:
    """Give `river.anomaly.hst.HalfSpaceTrees`, the genuine one.

    Its module needs two small ones beside it. But to import it is to import the packages around it
    first, which bring all anomaly detectors, all trees and scipy: a second and 80 MB. So their
    `__init__` is left out.
    """
    forest: type[HalfSpaceTrees] = forest_module().HalfSpaceTrees
    return forest


def forest_module() -> ModuleType:
    """Import the module; as usual where the short way fails, as it may with another release of river."""
    if MODULE in sys.modules:
        return sys.modules[MODULE]
    try:
        with bare_packages("river.anomaly", "river.tree"):
            return import_module(MODULE)
    except Exception:  # noqa: BLE001  # whatever it is, the usual way says it better
        return import_module(MODULE)


@contextmanager
def bare_packages(*names: str) -> Iterator[None]:
    """Let packages stand without their `__init__` having run; whoever imports one afterwards gets it whole."""
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
