"""The files of both packages, parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "operator/retraining_operator", ROOT / "job_image/retraining_job")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef


@dataclass(frozen=True)
class SourceFile:
    """One Python file.

    Args:
        path: Where it is.
    """

    path: Path

    @cached_property
    def lines(self) -> list[str]:
        """Return its lines."""
        return self.path.read_text(encoding="utf-8").splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """Return its syntax tree."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def name(self) -> str:
        """Return its path from the repository's root."""
        return str(self.path.relative_to(ROOT))

    def functions(self) -> Iterator[tuple[Function, bool]]:
        """Find all functions and methods.

        Returns:
            Pairs of a function and whether it is public: neither its name nor its class's starts
            with an underscore, and it is not defined inside another function.
        """
        yield from _functions(self.tree, public=True)

    def classes(self) -> Iterator[ast.ClassDef]:
        """Find all classes."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                yield node


def _functions(node: ast.Module | Documented, *, public: bool) -> Iterator[tuple[Function, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child, public and not child.name.startswith("_")
            yield from _functions(child, public=False)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, public=public and not child.name.startswith("_"))


def source_files(*roots: Path) -> list[SourceFile]:
    """Read the Python files below folders.

    Args:
        roots: The folders; both packages if none is given.

    Returns:
        The files, sorted by path.
    """
    return [SourceFile(path) for root in roots or PACKAGES for path in sorted(root.rglob("*.py"))]
