"""Reads values that others have written: each becomes a value of its type, or a sentence.

Objects of the cluster, Events, Leases, ConfigMaps and result documents may have been edited by
hand, or written by another program or version. A field that is missing or has the wrong type has
its default. If an object cannot be identified, `MalformedObjectError` says why. No other module
converts such values itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeGuard

TEXT_LIMIT_CHARACTERS = 2000
NAME_LIMIT_CHARACTERS = 253
ITEMS_LIMIT = 100
"""More conditions, containers or owners are not read."""
DEPTH_LIMIT = 4
INTEGER_LIMIT = 2**63 - 1
"""The API server stores integers of 64 bits."""


FIRST_YEAR, LAST_YEAR = 1970, 2999
TIME_LIMIT_CHARACTERS = 40
EPOCH = datetime.fromtimestamp(0, UTC)


class MalformedObjectError(Exception):
    """An object cannot be read. The message names the field."""


class Fields:
    """The fields of one JSON object.

    Args:
        values: The fields. Empty if the value is not a JSON object.
        path: Where the object is, for messages.
    """

    __slots__ = ("path", "values")  # thousands are built for each list

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path

    @classmethod
    def of(cls, value: object, path: str = "") -> Fields:
        """Return the fields of a value.

        Args:
            value: The value. If it is not a JSON object, there are none.
            path: Where the value is, for messages.

        Returns:
            The fields.
        """
        return cls(value if is_object(value) else {}, path)

    def __bool__(self) -> bool:
        return bool(self.values)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def fields(self, name: str) -> Fields:
        """Return the fields of a nested object."""
        return Fields.of(self.values.get(name), f"{self.path}{name}.")

    def items(self, name: str) -> Iterator[Fields]:
        """Return the fields of each object in a list, of at most ITEMS_LIMIT objects."""
        found = self.values.get(name)
        entries = found[:ITEMS_LIMIT] if isinstance(found, list | tuple) else []
        return (Fields.of(entry, f"{self.path}{name}.") for entry in entries)

    def text(self, name: str, limit: int = TEXT_LIMIT_CHARACTERS) -> str:
        """Return a text.

        Args:
            name: The field.
            limit: The maximum length in characters. The end of a longer text is cut.

        Returns:
            The text, empty if there is none.
        """
        found = self.values.get(name)
        return str(found)[:limit] if isinstance(found, str) else ""

    def integer(self, name: str, default: int = 0, low: int = 0, high: int = INTEGER_LIMIT) -> int:
        """Return an integer.

        Args:
            name: The field.
            default: The result if there is no integer between the limits.
            low: The lower limit.
            high: The upper limit.

        Returns:
            The integer. A number without a fraction counts as one.
        """
        found = read_integer(self.values.get(name))
        return found if found is not None and low <= found <= high else default

    def time(self, name: str) -> str | None:
        """Return the text of a time, or None if there is none that can be parsed."""
        found = self.values.get(name)
        return found if parse_time(found) else None

    def flag(self, name: str) -> bool:
        """Return whether a field is true."""
        return self.values.get(name) is True

    def require_name(self, name: str) -> str:
        """Return the text of a field that identifies the object.

        Raises:
            MalformedObjectError: If it is missing or too long.
        """
        found = self.values.get(name)
        if not isinstance(found, str) or not 0 < len(found) <= NAME_LIMIT_CHARACTERS:
            raise MalformedObjectError(f"{self.path}{name} is not a text")
        return found

    def require_version(self, name: str = "resourceVersion") -> int:
        """Return a resource version as a number.

        Raises:
            MalformedObjectError: If it is missing or not a number.
        """
        found = read_integer(self.values.get(name))
        if found is None or not 0 <= found <= INTEGER_LIMIT:
            raise MalformedObjectError(f"{self.path}{name} is not a number")
        return found


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a value is a JSON object."""
    return isinstance(value, dict) or isinstance(value, Mapping)  # noqa: SIM101  # dict is faster


def read_integer(value: object) -> int | None:
    """Return a number, or a text of ASCII digits, as an integer. Returns None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= INTEGER_LIMIT:
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return None


def parse_json(value: object) -> object:
    """Parse a text of JSON. Returns None if it is not one, or if its nesting is too deep."""
    if not isinstance(value, str):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def parse_time(value: object) -> datetime | None:
    """Parse a time as Kubernetes formats it.

    Returns:
        The time in UTC. None if the value is not a time, or outside of FIRST_YEAR to LAST_YEAR.
        Times of these years can be compared, and seconds can be added to them.
    """
    return (
        _parse_time(value)
        if isinstance(value, str) and len(value) <= TIME_LIMIT_CHARACTERS
        else None
    )


@lru_cache(maxsize=4096)  # Each plan reads the same times again.
def _parse_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def bound_value(value: Any, depth: int = DEPTH_LIMIT) -> Any:
    """Return a JSON value of limited size. What is too long or too deep is left out.

    Args:
        value: The value.
        depth: How many levels of lists and objects are kept.

    Returns:
        The value. Texts are cut, numbers that the API server could not store are None.
    """
    if isinstance(value, str):
        return value[:TEXT_LIMIT_CHARACTERS]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) <= INTEGER_LIMIT else None
    if is_object(value):
        entries = list(value.items())[:ITEMS_LIMIT] if depth else []
        return {str(name): bound_value(entry, depth - 1) for name, entry in entries}
    if isinstance(value, list | tuple) and depth:
        return [bound_value(entry, depth - 1) for entry in value[:ITEMS_LIMIT]]
    return [] if isinstance(value, list | tuple) else None
