"""The table of all fuzz targets: each is a function that takes bytes, with genuine inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

MODULES = (
    "tests.fuzz.operator_targets",
    "tests.fuzz.text_targets",
    "tests.fuzz.kafka_targets",
    "tests.fuzz.job_targets",
)
"""Modules with TARGETS, the functions by name, and SEEDS, functions that return genuine inputs."""


class FuzzTarget(NamedTuple):
    """What is fuzzed under one name."""

    name: str
    run: Callable[[bytes], None]
    """Raises if an input has an effect that it must not have."""
    build_seeds: Callable[[], list[bytes]]


def load_targets() -> dict[str, FuzzTarget]:
    """Import all targets. Returns them by name.

    Raises:
        ValueError: If two modules use the same name, or a target has no seeds.
    """
    found: dict[str, FuzzTarget] = {}
    for target in _iterate():
        if target.name in found:
            raise ValueError(f"two fuzz targets have the name {target.name}")
        found[target.name] = target
    return found


def _iterate() -> Iterator[FuzzTarget]:
    for name in MODULES:
        if find_spec(name) is None:
            continue
        module = import_module(name)
        if set(module.TARGETS) != set(module.SEEDS):
            raise ValueError(f"TARGETS and SEEDS of {name} have different names")
        for target, run in module.TARGETS.items():
            yield FuzzTarget(target, run, module.SEEDS[target])
