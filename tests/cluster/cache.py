"""The cache: entries named by a hash of what they are made from, each put in place whole or not at all."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
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


@contextlib.contextmanager
def alone(cache: Path, name: str) -> Iterator[None]:
    """Keep every other step, of this command or of another, from making the same thing at the same time."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def entry(cache: Path, name: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder with this name and key, letting `build` fill it first if it is not there."""
    target = cache / f"{name}-{key}"
    with alone(cache, name):
        if target.exists():
            target.touch()
            return target
        half = cache / f"{name}-{key}.half"
        # Of a build that was killed: whoever holds the lock is the only one at it.
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        build(half)
        half.rename(target)
        _prune(cache, name)
    return target


def _prune(cache: Path, name: str) -> None:
    entries = [path for path in cache.glob(f"{name}-*") if path.suffix != ".half"]
    for old in sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
