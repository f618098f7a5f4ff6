"""Prints the statistics of the code: `python -m tests.house [--findings] [FOLDER ...]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

from tests.house.source import PACKAGES, ROOT, SourceFile, source_files
from tests.house.statistics import ambiguous_classes, longest_files, modules_beside_folders
from tests.house.words import findings

MAX_FILE_LINES = 300


def main() -> int:
    """Print the statistics, and with `--findings` each finding.

    Returns:
        1 if findings were asked for and there are any.
    """
    parser = argparse.ArgumentParser(
        prog="tests.house", description="Prints statistics of the code."
    )
    parser.add_argument("--findings", action="store_true", help="list what breaks a rule")
    parser.add_argument("folders", nargs="*", type=Path, default=list(PACKAGES))
    arguments = parser.parse_args()
    files = source_files(*(folder.resolve() for folder in arguments.folders))
    found = [line for file in files for line in findings(file)]
    if arguments.findings:
        print("\n".join(found))
    print("\n".join(describe(files, len(found))))
    return 1 if arguments.findings and found else 0


def describe(files: list[SourceFile], findings_count: int) -> list[str]:
    """Compute the statistics.

    Args:
        files: The files.
        findings_count: How many findings they have.

    Returns:
        Lines to print.
    """
    sizes = [(name, lines) for name, lines in longest_files(files) if lines > 1]
    longest = ", ".join(f"{name} {lines}" for name, lines in sizes[:3])
    too_long = sum(lines > MAX_FILE_LINES for _, lines in sizes)
    lines = [
        f"files: {len(sizes)}, median {median(size for _, size in sizes):.0f} lines",
        f"longest: {longest}",
        f"files above {MAX_FILE_LINES} lines: {too_long}",
        f"names of two classes: {', '.join(ambiguous_classes(files)) or 'none'}",
        f"findings in words and docstrings: {findings_count}",
    ]
    for package in PACKAGES:
        count = len(modules_beside_folders(package))
        lines.append(f"modules beside the folders of {package.relative_to(ROOT)}: {count}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
