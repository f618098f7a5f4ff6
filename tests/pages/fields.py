"""Descriptions of a class's fields: the string below each of them in the source."""

from __future__ import annotations

import ast
import inspect
from typing import NamedTuple


class Field(NamedTuple):
    """One field, as the source declares it."""

    name: str
    type: str
    meaning: str


def fields_of(kind: type) -> list[Field]:
    """Read the annotated fields of a class.

    Args:
        kind: The class.

    Returns:
        Its fields in the order of the source.
    """
    [node] = ast.parse(inspect.getsource(kind)).body
    assert isinstance(node, ast.ClassDef)
    found = []
    for here, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(here, ast.AnnAssign) and isinstance(here.target, ast.Name):
            text = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                text = " ".join(str(after.value.value).split())
            found.append(Field(here.target.id, ast.unparse(here.annotation), text))
    return found
