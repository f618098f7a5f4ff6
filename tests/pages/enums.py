"""Descriptions of enum members: the string below each of them in the source."""

from __future__ import annotations

import ast
import inspect
from enum import Enum


def descriptions(kind: type[Enum]) -> dict[str, str]:
    """Read what the source says about each member.

    Args:
        kind: The enum.

    Returns:
        The description by the member's name; empty where there is none.
    """
    [node] = ast.parse(inspect.getsource(kind)).body
    assert isinstance(node, ast.ClassDef)
    found: dict[str, str] = {}
    for here, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(here, ast.Assign) and isinstance(here.targets[0], ast.Name):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            text = after.value.value if is_text else ""  # type: ignore[union-attr]
            found[here.targets[0].id] = " ".join(str(text).split())
    return found
