"""Changes inputs at random: JSON part by part, so that the result is JSON again, else bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Path = tuple[Any, ...]
"""Where a part of a JSON value is: names of fields and indexes of lists."""
POISON: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    2**31,
    2**63,
    -(2**63),
    10**400,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "9" * 5000,
    "x" * 20_000,
    "\ud800",
    "\0\n",
    "\x1b[31m\r",
    "\u202e",
    "\u0663",
    "2999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "2026-03-01T12:00:00",
    [],
    {},
    [None],
    {"": None},
    [[[[[[]]]]]],
    {"a": {"a": {"a": {"a": {"a": {}}}}}},
    ["x"] * 3000,
)
"""Values that readers tend to be surprised by."""
BYTES_POISON = (b"", b"\0", b"\xff", b"\n", b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"\xed\xa0")
RARELY = 0.02


class Mutator:
    """Changes inputs of one target.

    Args:
        seeds: Genuine inputs of the target. Their parts are put into other inputs.
    """

    def __init__(self, seeds: Iterable[bytes]) -> None:
        self.parts: list[Any] = []
        self.names: list[str] = []
        for seed in seeds:
            value = parse_container(seed)
            for path in list_paths(value) if value is not None else ():
                self.parts.append(find_part(value, path))
                if path and isinstance(path[-1], str) and path[-1] not in self.names:
                    self.names.append(path[-1])

    def mutate(
        self,
        data: bytes,
        draw: random.Random,
        mutate_bytes: Callable[[bytes], bytes] | None = None,
    ) -> bytes:
        """Return an input with one to three changes.

        Args:
            data: The input.
            draw: The source of chance.
            mutate_bytes: Changes an input that is not JSON; by default at random.

        Returns:
            The changed input. If it was a JSON object or list, it almost always still is one.
        """
        change_bytes = mutate_bytes or (lambda content: change_some_bytes(content, draw))
        value = parse_container(data)
        if value is None or draw.random() < RARELY:
            return change_bytes(data)
        for _ in range(draw.randint(1, 3)):
            value = self._change(value, draw)
        try:
            return json.dumps(value).encode()
        except (ValueError, RecursionError):
            return change_bytes(data)

    def _change(self, value: Any, draw: random.Random) -> Any:
        path = draw.choice(list_paths(value))
        part = find_part(value, path)
        how = draw.randrange(7)
        if how == 0 and path:
            return replace_part(value, path, None, remove=True)
        if how == 1 and self.parts:
            return replace_part(value, path, draw.choice(self.parts))
        if how == 2 and isinstance(part, dict):
            name = draw.choice([*self.names, "x", "\n"])
            return replace_part(value, (*path, name), draw.choice([*self.parts, *POISON]))
        if how == 3 and isinstance(part, list):
            return replace_part(value, path, part * draw.choice((0, 2, 3)))
        if how >= 4 and not isinstance(part, dict | list):
            return replace_part(value, path, change_scalar(part, draw))
        return replace_part(value, path, draw.choice(POISON))


def parse_container(data: bytes) -> Any:
    """Return the JSON object or list of some bytes, or None if they are something else."""
    try:
        value = json.loads(data)
        return value if isinstance(value, dict | list) and list_paths(value) else None
    except (ValueError, RecursionError):
        return None


def list_paths(value: Any, path: Path = ()) -> list[Path]:
    """Return the paths of all parts of a JSON value."""
    found = [path]
    if isinstance(value, dict):
        for name, part in value.items():
            found += list_paths(part, (*path, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            found += list_paths(part, (*path, index))
    return found


def find_part(value: Any, path: Path) -> Any:
    """Return the part of a JSON value at a path."""
    for step in path:
        value = value[step]
    return value


def replace_part(value: Any, path: Path, part: Any, *, remove: bool = False) -> Any:
    """Return a JSON value with one part replaced, added or removed."""
    if not path:
        return part
    changed = copy.deepcopy(value)
    place = find_part(changed, path[:-1])
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = part
    return changed


def change_scalar(value: Any, draw: random.Random) -> Any:
    """Return a text, number or truth value that is similar or has another type."""
    if isinstance(value, bool) or value is None:
        return draw.choice((True, False, None, "true", 1))
    if isinstance(value, int | float):
        return draw.choice((value + 1, value - 1, -value, value * 1000, str(value), 0.5))
    at = draw.randint(0, len(value))
    inserted = draw.choice(("", "0", "-", " ", "/", "\n", "\0", "\ud800", "\u2028", value))
    return value[:at] + inserted + value[at + draw.choice((0, 1, 5)) :]


def change_some_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return bytes with one to four of them changed, added, repeated or removed."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randint(0, len(changed))
        end = at + draw.choice((0, 1, 1, 4, 8))
        new: Sequence[bytes] = (
            draw.choice(BYTES_POISON),
            draw.randbytes(max(1, end - at)),
            bytes(changed[at:end]) * 2,
        )
        changed[at:end] = draw.choice(new)
    return bytes(changed)
