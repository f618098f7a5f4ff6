"""Prints the figures of the code: `python -m tests.house [--findings] [FOLDER ...]`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

from tests.house.source import PACKAGES, ROOT, SourceFile, source_files
from tests.house.words import findings


def main() -> int:
    """Print the figures, and with `--findings` each finding."""
    parser = argparse.ArgumentParser(prog="tests.house", description="Prints figures of the code.")
    parser.add_argument("--findings", action="store_true", help="list what breaks a rule")
    parser.add_argument("folders", nargs="*", type=Path, default=list(PACKAGES))
    arguments = parser.parse_args()
    files = source_files(*(folder.resolve() for folder in arguments.folders))
    found = [line for file in files for line in findings(file)]
    if arguments.findings:
        print("\n".join(found))
    for line in figures(files, found):
        print(line)
    return 1 if arguments.findings and found else 0


def figures(files: list[SourceFile], found: list[str]) -> list[str]:
    """Compute the figures.

    Args:
        files: The files.
        found: The findings in them.

    Returns:
        Lines to print.
    """
    lengths = {file.name: len(file.lines) for file in files if len(file.lines) > 1}
    longest = Counter(lengths).most_common(3)
    lines = [
        f"files: {len(lengths)}, median {median(lengths.values()):.0f} lines",
        "longest: " + ", ".join(f"{name} {size}" for name, size in longest),
        f"files above 300 lines: {sum(size > 300 for size in lengths.values())}",
        f"names of two classes: {', '.join(ambiguous(files)) or 'none'}",
        f"findings in words and docstrings: {len(found)}",
    ]
    for package in PACKAGES:
        beside = [path.name for path in sorted(package.glob("*.py"))]
        if any(file.path.is_relative_to(package) for file in files):
            lines.append(
                f"modules beside the folders of {package.relative_to(ROOT)}: {len(beside)}"
            )
    return lines


def ambiguous(files: list[SourceFile]) -> list[str]:
    """Return the names that two classes have."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        for node in file.classes():
            places[node.name].add(file.name)
    return sorted(name for name, where in places.items() if len(where) > 1)


if __name__ == "__main__":
    sys.exit(main())
