"""The resources of a run: those of the request, merged with the operator's and within its limits.

Quantities are compared as Kubernetes compares them: 1000m equals 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from retraining_operator.settings.quantities import multiply_quantity, parse_quantity
from retraining_operator.settings.scalars import Resources

REQUESTS, LIMITS = "requests", "limits"
KINDS = (REQUESTS, LIMITS)
DEFAULT_FACTOR = 4
"""How many times the operator's default a request may ask for unless the owner sets a maximum."""


def merge_resources(asked: Resources | None, default: Resources) -> Resources:
    """Merge the resources of a request with the operator's, one quantity at a time.

    What the request sets counts. A default that contradicts it, because Kubernetes allows no
    request above its limit, becomes equal to it.

    Args:
        asked: The resources of the request; None if it has none.
        default: The operator's resources.

    Returns:
        The resources of the container.
    """
    given = asked or {}
    merged = {
        kind: {**default.get(kind, {}), **given.get(kind, {})}
        for kind in KINDS
        if kind in default or kind in given
    }
    requests, limits = merged.get(REQUESTS, {}), merged.get(LIMITS, {})
    for name in requests.keys() & limits.keys():
        if parse_quantity(requests[name]) <= parse_quantity(limits[name]):
            continue
        if name not in given.get(LIMITS, {}):
            limits[name] = requests[name]
        elif name not in given.get(REQUESTS, {}):
            requests[name] = limits[name]
    return merged


def find_maxima(maxima: Mapping[str, str], default: Resources) -> dict[str, str]:
    """Find the greatest quantity of each resource that a request may ask for.

    Args:
        maxima: The maxima that the owner sets, by the name of the resource.
        default: The operator's resources, whose multiple is allowed if there is no such maximum.

    Returns:
        The quantities by the name of the resource. Other resources may not be asked for.
    """
    greatest: dict[str, str] = {}
    for quantities in default.values():
        for name, text in quantities.items():
            if name not in greatest or parse_quantity(text) > parse_quantity(greatest[name]):
                greatest[name] = text
    derived = {name: multiply_quantity(text, DEFAULT_FACTOR) for name, text in greatest.items()}
    return {**derived, **maxima}


def find_resource_problems(
    asked: Resources, maxima: Mapping[str, str], default: Resources
) -> Iterator[str]:
    """Find quantities that a request may not ask for.

    Args:
        asked: The resources of the request.
        maxima: The greatest quantity of each resource, by its name.
        default: The operator's resources, which are always allowed.

    Yields:
        One sentence for each.
    """
    for kind, quantities in asked.items():
        for name, text in quantities.items():
            is_default = text == default.get(kind, {}).get(name)
            if not is_default and (problem := describe_problem(kind, name, text, maxima)):
                yield f"spec.resources.{kind}.{name}: {text} is not allowed: {problem}."
    limits = asked.get(LIMITS, {})
    for name, text in asked.get(REQUESTS, {}).items():
        if name in limits and parse_quantity(text) > parse_quantity(limits[name]):
            yield (
                f"spec.resources.requests.{name}: {text} is not allowed: it is greater than "
                f"spec.resources.limits.{name} ({limits[name]})."
            )


def describe_problem(kind: str, name: str, text: str, maxima: Mapping[str, str]) -> str | None:
    """Describe why a request may not ask for a quantity.

    Args:
        kind: `requests` or `limits`.
        name: The name of the resource.
        text: The quantity.
        maxima: The greatest quantity of each resource, by its name.

    Returns:
        The second half of a sentence, or None if the quantity is allowed.
    """
    setting = f"requests.maxResources.{name}"
    if kind not in KINDS:
        return "resources have only requests and limits"
    if name not in maxima:
        return f"the owner allows none of this resource unless the chart's values have {setting}"
    quantity = parse_quantity(text)
    if kind == LIMITS and quantity <= Decimal(0):
        return "Kubernetes reads a limit of 0 as no limit"
    if quantity > parse_quantity(maxima[name]):
        return f"the greatest that the owner allows is {maxima[name]} ({setting})"
    return None
