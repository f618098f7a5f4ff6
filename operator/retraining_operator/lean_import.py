"""Imports of single modules out of a package whose own `__init__` imports everything."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec, module_from_spec

PACKAGES = ("kubernetes", "kubernetes.aio", "kubernetes.aio.config")
"""Their `__init__` also imports the synchronous client with requests and oauthlib: a third of the time of a start."""
PROBES = ("kubernetes.aio.client.api_client", "kubernetes.aio.config.incluster_config")
"""What the operator imports out of them."""


def skip_initialization(packages: Sequence[str] = PACKAGES, probes: Sequence[str] = PROBES) -> bool:
    """Register packages without running their `__init__`, so that a module of theirs is imported alone.

    If a probe cannot be imported in this way, everything is taken back and the packages are
    imported as usual.

    Args:
        packages: by their names, a parent before its child. One that is imported already stays as
            it is.
        probes: modules that must be importable.

    Returns:
        Whether it worked.
    """
    before = set(sys.modules)
    try:
        for name in packages:
            spec = find_spec(name)
            if name not in sys.modules and spec is not None:
                sys.modules[name] = module_from_spec(spec)
        for name in probes:
            import_module(name)
    except Exception:  # noqa: BLE001  # whatever another version of the package does, the usual import is left
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in {package.partition(".")[0] for package in packages}:
                del sys.modules[name]
        return False
    return True
