"""How the code is divided: file sizes, names, modules beside folders."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tests.house.source import SourceFile


def longest_files(files: list[SourceFile]) -> list[tuple[str, int]]:
    """Return names and numbers of lines of all files, the longest first."""
    sizes = [(file.name, len(file.lines)) for file in files]
    return sorted(sizes, key=lambda entry: -entry[1])


def ambiguous_classes(files: list[SourceFile]) -> list[str]:
    """Return the names that two classes have."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        for node in file.classes():
            places[node.name].add(file.name)
    return sorted(name for name, where in places.items() if len(where) > 1)


def modules_beside_folders(package: Path) -> list[str]:
    """Return the modules on a package's top level."""
    return [path.name for path in sorted(package.glob("*.py"))]
