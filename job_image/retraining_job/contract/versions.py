"""The range of version numbers and epochs, in Redis, documents, tables and the CRD."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

HIGHEST_VERSION = 2**53 - 1
"""Up to here, Lua in Redis and JavaScript count in whole numbers. A BIGINT can hold more."""

VERSION_TEXT_BYTES = len(str(HIGHEST_VERSION))

VersionNumber = Annotated[int, Field(ge=1, le=HIGHEST_VERSION)]
"""A version that was published."""

VersionNumberOrNone = Annotated[int, Field(ge=0, le=HIGHEST_VERSION)]
"""A version, or 0 if there is none: for example, a model without a number of its own."""

VERSION_RANGE = f"1 to {HIGHEST_VERSION}"
"""The range in messages."""


def parse_version(text: bytes | None) -> int | None:
    """Parse a version or an epoch.

    Args:
        text: Decimal digits without leading zeros.

    Returns:
        The number, from 0 to `HIGHEST_VERSION`, or None for anything else.
    """
    if text is None or not text.isdigit() or len(text) > VERSION_TEXT_BYTES:
        return None
    number = int(text)
    is_canonical = text == str(number).encode()
    return number if is_canonical and number <= HIGHEST_VERSION else None
