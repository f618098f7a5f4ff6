"""The corpus of each target: few small inputs in the repository that together reach much code."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.targets import FuzzTarget

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
WORK = ROOT / ".fuzz"
PACKAGES = (f"{ROOT}/operator/", f"{ROOT}/job_image/")
FILES_LIMIT, BYTES_LIMIT = 60, 100_000
FORMER_CRASH = "crash-"
"""How the names of inputs start that once had an effect. They are kept for ever."""

Arc = tuple[str, int, int]
"""Two lines that ran one after the other: the file, the line before and the line."""


def read_inputs(*folders: Path) -> list[bytes]:
    """Return the contents of all files of some folders, the smallest first."""
    files = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
    return sorted({file.read_bytes() for file in files}, key=lambda data: (len(data), data))


def trace_arcs(run: Callable[[bytes], None], data: bytes) -> set[Arc]:
    """Run a target under a tracer.

    Args:
        run: The target.
        data: Its input.

    Returns:
        Which lines of the packages ran one after the other.
    """
    found: set[Arc] = set()

    def start(frame: FrameType, _event: str, _argument: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGES):
            return None
        last = frame.f_code.co_firstlineno

        def follow(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal last
            if event == "line":
                found.add((file, last, frame.f_lineno))
                last = frame.f_lineno
            return follow

        return follow

    sys.settrace(start)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return found


def select(arcs: Mapping[bytes, set[Arc]]) -> list[bytes]:
    """Select the inputs that reach the most, one after the other, up to the limits.

    Args:
        arcs: What each input reaches.

    Returns:
        At most FILES_LIMIT inputs with at most BYTES_LIMIT bytes together.
    """
    chosen: list[bytes] = []
    reached: set[Arc] = set()
    left = {data: found for data, found in arcs.items() if len(data) <= BYTES_LIMIT}
    while left and len(chosen) < FILES_LIMIT:
        best = max(left, key=lambda data: (len(left[data] - reached), -len(data), data))
        if not left.pop(best) - reached:
            break
        if sum(map(len, chosen)) + len(best) <= BYTES_LIMIT:
            chosen.append(best)
            reached |= arcs[best]
    return chosen


def minimize(target: FuzzTarget) -> str:
    """Replace the corpus of a target by the best of it and of what fuzzing has found.

    libFuzzer's own merge counts how often each edge is taken and so keeps thousands of inputs.

    Args:
        target: The target.

    Returns:
        What was done, as one line.
    """
    logging.disable(logging.CRITICAL)
    folder = CORPUS / target.name
    arcs, failed = {}, 0
    for seed in target.build_seeds():  # runs first, so that caches and late imports count nowhere
        target.run(seed)
    for data in read_inputs(folder, WORK / target.name / "found"):
        try:
            arcs[data] = trace_arcs(target.run, data)
        except Exception:  # noqa: BLE001  # `make fuzz` reports it
            failed += 1
    chosen = select(arcs)
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if not file.name.startswith(FORMER_CRASH):
            file.unlink()
    write_inputs(folder, chosen)
    rest = f", {failed} inputs fail" if failed else ""
    return (
        f"{target.name:<12} kept {len(chosen)} of {len(arcs)} inputs, "
        f"{sum(map(len, chosen)):,} bytes{rest}"
    )


def write_inputs(folder: Path, inputs: Iterable[bytes]) -> None:
    """Write inputs as files that are named by their content.

    Args:
        folder: The folder.
        inputs: The contents.
    """
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
