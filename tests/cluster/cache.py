"""The cache: entries named by a hash of what they are made from, each put in place whole or not at all."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

KEPT = 3
"""Entries of one name that are kept: this one, and those that a branch switched back to would want."""


def digest(*parts: str | Path) -> str:
    """Return a short hash of texts, files and folders' files, names included."""
    total = hashlib.sha256()
    for part in parts:
        for name, content in _contents(part):
            total.update(f"{name}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()[:12]


def _contents(part: str | Path) -> Iterable[tuple[str, bytes]]:
    if isinstance(part, str):
        yield "", part.encode()
    elif part.is_dir():
        for file in sorted(part.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                # Whether a script can be run belongs to what it is.
                runnable = "x" if os.access(file, os.X_OK) else "-"
                yield f"{file.relative_to(part)} {runnable}", file.read_bytes()
    else:
        yield part.name, part.read_bytes()


def entry(cache: Path, name: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder with this name and key, letting `build` fill it first if it is not there."""
    target = cache / f"{name}-{key}"
    if target.exists():
        target.touch()
        return target
    half = cache / f"{name}-{key}.{os.getpid()}.half"
    half.mkdir(parents=True)
    try:
        build(half)
        half.rename(target)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    _prune(cache, name)
    return target


def _prune(cache: Path, name: str) -> None:
    entries = [path for path in cache.glob(f"{name}-*") if path.suffix != ".half"]
    for old in sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    for half in cache.glob("*.half"):
        builder = half.name.split(".")[-2]
        if not Path("/proc", builder).exists():
            with contextlib.suppress(OSError):
                shutil.rmtree(half)
