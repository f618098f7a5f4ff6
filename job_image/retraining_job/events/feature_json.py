"""Parsing of `features_json`: the JSON object of one event, and of many at once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYERS_LIMIT = 10
"""Most JSON strings inside each other that are read. Each layer about doubles the backslashes, so
more do not occur."""


class FeaturesKind(IntEnum):
    """What `features_json` of one event is."""

    OBJECT = 0
    """A JSON object."""
    DECODED = 1
    """A JSON string that contains a JSON object."""
    NOTHING = 2
    """Null, JSON's null, or empty."""
    UNREADABLE = 3
    """Anything else."""


def parse_features_json(text: str | None) -> tuple[dict[str, Any], FeaturesKind]:
    """Parse the JSON object of one event, also inside several layers of JSON strings.

    Returns:
        The object, empty if there is none, and what `features_json` is.
    """
    if not text:
        return {}, FeaturesKind.NOTHING
    try:
        return unwrap_object(parse_json(text))
    except (ValueError, RecursionError):
        return {}, FeaturesKind.UNREADABLE


def unwrap_object(value: object) -> tuple[dict[str, Any], FeaturesKind]:
    """Return the JSON object that a JSON value is or contains.

    Returns:
        The object, empty if there is none, and what the value is.

    Raises:
        ValueError: A string does not contain JSON.
        RecursionError: A string contains JSON that is nested too deeply.
    """
    kind = FeaturesKind.OBJECT
    for _ in range(LAYERS_LIMIT):
        if not isinstance(value, str):
            break
        kind = FeaturesKind.DECODED
        if not value.strip():
            return {}, FeaturesKind.NOTHING
        value = parse_json(value)
    if value is None:
        return {}, FeaturesKind.NOTHING
    if not isinstance(value, dict) or not all(map(is_storable, value)):
        return {}, FeaturesKind.UNREADABLE
    return value, kind


def parse_json(text: str) -> object:
    """Parse JSON. An integer of thousands of digits becomes infinity instead of an error.

    Raises:
        ValueError: The text is not JSON.
        RecursionError: It is nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python refuses integers of more than 4,300 digits
        return json.loads(text, parse_int=float)


def is_storable(name: str) -> bool:
    """Return whether a feature's name can be stored in PostgreSQL's jsonb and in UTF-8."""
    if name.isascii():
        return "\0" not in name
    return not any(mark == "\0" or "\ud800" <= mark <= "\udfff" for mark in name)


def parse_many(texts: Sequence[str | None]) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """Parse the JSON objects of some events.

    Args:
        texts: `features_json` of each event.

    Returns:
        An object for each event, empty if there is none, and the `FeaturesKind` of each, shape
        (n,), uint8.
    """
    values = parse_together(texts)
    if values is None:
        pairs = [parse_features_json(text) for text in texts]
        return [features for features, _ in pairs], np.array([kind for _, kind in pairs], np.uint8)
    kinds = np.zeros(len(values), np.uint8)
    objects: list[dict[str, Any]] = values
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            try:
                objects[index], kinds[index] = unwrap_object(value)
            except (ValueError, RecursionError):
                objects[index], kinds[index] = {}, FeaturesKind.UNREADABLE
    if not all(map(is_storable, collect_names(objects))):
        for index, features in enumerate(objects):
            if not all(map(is_storable, features)):
                objects[index], kinds[index] = {}, FeaturesKind.UNREADABLE
    return objects, kinds


def parse_together(texts: Sequence[str | None]) -> list[Any] | None:
    """Parse some texts as JSON in one call, which takes half the time.

    A random number is placed between every two texts. It reveals texts that are JSON only together
    with their neighbours.

    Args:
        texts: The texts; None counts as JSON's null.

    Returns:
        The value of each text, or None if one of them alone is not JSON.
    """
    mark = secrets.randbits(60)
    separator = f",{mark},"
    try:
        values: list[Any] = json.loads(f"[{separator.join(text or 'null' for text in texts)}]")
    except (ValueError, RecursionError):
        return None
    if len(values) != max(0, 2 * len(texts) - 1) or any(value != mark for value in values[1::2]):
        return None
    return values[::2]


def collect_names(objects: Sequence[dict[str, Any]]) -> set[str]:
    """Return all names in some objects."""
    # Events have few different tuples of names, so this is faster than a union of all objects.
    return set().union(*set(map(tuple, objects)))
