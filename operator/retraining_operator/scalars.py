"""Single values of YAML that Kubernetes wants as texts: labels and annotations, and quantities such as 500m or 1Gi."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

EXACT = 2**53
"""Up to here every whole number is exact, whether JSON is read as integers or as floating-point numbers."""

QUANTITY = re.compile(
    r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?", re.ASCII
)
"""A quantity as Kubernetes writes it, without those below zero."""


def text_of(value: object) -> object:
    """Return a label's or an annotation's value as text: booleans and whole numbers as they are written.

    Raises:
        PydanticCustomError: if it cannot be known what was written; 1.10 is read as 1.1.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return str(int(value))
    if isinstance(value, float):
        raise PydanticCustomError("text", "write it in quotes, because YAML reads it as a number")
    return str(value) if isinstance(value, int) else value


def quantity_of(value: object) -> object:
    """Return a quantity as text; Kubernetes takes numbers as well.

    Raises:
        PydanticCustomError: if it is no quantity.
    """
    if isinstance(value, str) and QUANTITY.fullmatch(value.strip()):
        return value.strip()
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or value < 0
    ):
        raise PydanticCustomError("quantity", "it is no quantity, such as 0.5, 500m or 1Gi")
    return str(int(value)) if float(value).is_integer() else repr(value)


def with_text_value(entry: object) -> object:
    """Return a variable or a toleration with its `value` as text."""
    if isinstance(entry, Mapping) and "value" in entry:
        return {**entry, "value": text_of(entry["value"])}
    return entry


Text = Annotated[str, BeforeValidator(text_of)]
Quantity = Annotated[str, BeforeValidator(quantity_of)]
Resources = dict[str, dict[str, Quantity]]
"""A container's requests and limits."""
Valued = Annotated[dict[str, Any], BeforeValidator(with_text_value)]
"""A variable or a toleration."""
