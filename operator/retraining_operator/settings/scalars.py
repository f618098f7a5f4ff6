"""YAML scalars that Kubernetes requires as strings: labels, annotations, and quantities."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from retraining_operator.settings.quantities import parse_quantity

MAX_EXACT_INTEGER = 2**53
"""Up to here each integer is exact, whether JSON is parsed as integers or as floats."""

QUANTITY = re.compile(
    r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?", re.ASCII
)
"""A quantity as Kubernetes writes it, without negative ones."""


def convert_to_text(value: object) -> object:
    """Convert a label's or annotation's value to a string: booleans and integers as written.

    Raises:
        PydanticCustomError: If the original text is lost, as YAML reads 1.10 as 1.1.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_INTEGER:
        return str(int(value))
    if isinstance(value, float):
        raise PydanticCustomError("text", "write it in quotes, because YAML reads it as a number")
    return str(value) if isinstance(value, int) else value


def convert_to_quantity(value: object) -> object:
    """Convert a quantity to a string, because Kubernetes also accepts numbers.

    Raises:
        PydanticCustomError: If it is not a quantity.
    """
    if isinstance(value, str) and is_quantity(value.strip()):
        return value.strip()
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= sys.float_info.max  # also false for NaN
    ):
        raise PydanticCustomError("quantity", "it is not a quantity, such as 0.5, 500m or 1Gi")
    return str(int(value)) if float(value).is_integer() else repr(value)


def is_quantity(text: str) -> bool:
    """Return whether a text is a quantity, and not larger than any computer can count."""
    if not QUANTITY.fullmatch(text):
        return False
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def convert_value_to_text(entry: object) -> object:
    """Convert the field `value` of an environment variable or a toleration to a string."""
    if isinstance(entry, Mapping) and "value" in entry:
        return {**entry, "value": convert_to_text(entry["value"])}
    return entry


Text = Annotated[str, BeforeValidator(convert_to_text)]
Quantity = Annotated[str, BeforeValidator(convert_to_quantity)]
Resources = dict[str, dict[str, Quantity]]
"""A container's requests and limits."""
Valued = Annotated[dict[str, Any], BeforeValidator(convert_value_to_text)]
"""An environment variable or a toleration."""
