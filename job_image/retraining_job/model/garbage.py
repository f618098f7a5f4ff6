"""Python's cyclic garbage collector, held off where millions of tree nodes come to life.

Used by forest and model.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Hold the collector off: trees have no cycles, and looking for some halves the speed and more."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()  # what was made inside is not looked at again
            gc.enable()
