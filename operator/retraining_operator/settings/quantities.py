"""Quantities of Kubernetes as numbers, compared as the API server compares them."""

from __future__ import annotations

import re
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity as parse

NUMBER = re.compile(r"\+?([0-9.]+)(.*)", re.ASCII)


def parse_quantity(text: str) -> Decimal:
    """Parse a quantity, such as 0.5, 500m or 1Gi.

    Raises:
        ValueError: If it is not a quantity, or its exponent is too large for any computer.
    """
    number: Decimal = parse(text)  # type: ignore[no-untyped-call]  # it has no annotations
    return number


def multiply_quantity(text: str, factor: int) -> str:
    """Multiply a quantity and keep its unit.

    Args:
        text: The quantity, for example 500m.
        factor: The factor.

    Returns:
        The product, for example 2000m.

    Raises:
        ValueError: If the text is not a quantity.
    """
    found = NUMBER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is not a quantity")
    number, unit = found.groups()
    return f"{factor * Decimal(number):f}{unit}"
