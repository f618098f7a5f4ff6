"""The cache. Entries are named by a hash of their inputs and are put in place atomically."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

KEPT = 3
"""Entries that are kept per name: the current one, and those of branches switched to before."""


def digest(*parts: str | Path) -> str:
    """Return a short hash of texts, files, and the files of folders, including their names."""
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
                # The executable bit is part of a script.
                runnable = "x" if os.access(file, os.X_OK) else "-"
                yield f"{file.relative_to(part)} {runnable}", file.read_bytes()
    else:
        yield part.name, part.read_bytes()


@contextlib.contextmanager
def alone(cache: Path, name: str) -> Iterator[None]:
    """Hold a lock, so that no other step or command builds the same thing at the same time.

    Args:
        cache: The cache's folder.
        name: The entry's name.

    Yields:
        Nothing, while the lock is held.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def entry(cache: Path, name: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder with this name and key. If it is missing, `build` fills it first.

    Args:
        cache: The cache's folder.
        name: The entry's name.
        key: The hash of its inputs.
        build: Fills the folder that it gets.

    Returns:
        The folder.
    """
    target = cache / f"{name}-{key}"
    with alone(cache, name):
        if target.exists():
            target.touch()
            return target
        half = cache / f"{name}-{key}.half"
        # Left by a build that was killed. The lock ensures that no other build uses it.
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
