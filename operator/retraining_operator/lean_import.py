"""Imports single modules of a package without its `__init__`, which would import everything."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec, module_from_spec

PACKAGES = ("kubernetes", "kubernetes.aio", "kubernetes.aio.config", "kubernetes.utils")
"""Their `__init__` also imports the synchronous client with requests and oauthlib, which takes a
third of the start-up time."""
PROBES = (
    "kubernetes.aio.client.api_client",
    "kubernetes.aio.config.incluster_config",
    "kubernetes.utils.quantity",
)
"""The modules that the operator imports from them."""


def skip_initialization(packages: Sequence[str] = PACKAGES, probes: Sequence[str] = PROBES) -> bool:
    """Register packages without running their `__init__`, so that their modules load alone.

    If a probe cannot be imported in this way, everything is reverted and the packages are imported
    as usual.

    Args:
        packages: Their names, a parent before its child. A package that is already imported is not
            changed.
        probes: Modules that must be importable.

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
    except Exception:  # noqa: BLE001  # another version may fail in any way
        roots = {package.partition(".")[0] for package in packages}
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in roots:
                del sys.modules[name]
        return False
    return True
