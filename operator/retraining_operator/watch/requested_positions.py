"""Kafka positions for which this process has seen a RetrainRequest, also if it was deleted since.

While a RetrainRequest exists, its name prevents a second run of its record. If it is deleted before
the handled offsets include the record, only these positions do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from retraining_operator.api.fields import Fields

MAX_POSITIONS = 10_000
"""The handled offsets lack at most the last batch (200 records). 10,000 entries take 3 MB."""
UNKNOWN = -1


class RequestedPositions:
    """The Kafka positions of the RetrainRequests that were seen last."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[Any, ...], None] = OrderedDict()

    def add(self, body: Mapping[str, Any]) -> None:
        """Add the position of a RetrainRequest that exists or existed."""
        trigger = Fields.of(body).fields("spec").fields("trigger")
        if not trigger:
            return
        key = _build_key(body, trigger)
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > MAX_POSITIONS:
            self._keys.popitem(last=False)

    def has(self, manifest: Mapping[str, Any]) -> bool:
        """Return whether the position of a RetrainRequest to be created was seen."""
        trigger = Fields.of(manifest).fields("spec").fields("trigger")
        return _build_key(manifest, trigger) in self._keys


def _build_key(body: Mapping[str, Any], trigger: Fields) -> tuple[str | int, ...]:
    """Build the key of a position.

    It contains the request's name, because a person may copy the trigger into another request.
    """
    return (
        Fields.of(body).fields("metadata").text("name"),
        trigger.text("topic"),
        trigger.integer("partition", UNKNOWN),
        trigger.integer("offset", UNKNOWN),
        trigger.text("timestamp"),
    )
