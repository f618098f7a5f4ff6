"""Which Kafka records have had a RetrainRequest, as far as this process has seen, though it was deleted since.

A RetrainRequest that exists guards its record by its name. One that was deleted before the ledger
knew its record does so only as long as somebody remembers it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

KEPT = 10_000
"""The ledger knows all but the last batch of records (200), so more than enough; they take 3 MB."""
IDENTITY = ("topic", "partition", "offset", "timestamp")


class RequestedPositions:
    """The records of the RetrainRequests that were seen last."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[Any, ...], None] = OrderedDict()

    def add(self, body: Mapping[str, Any]) -> None:
        """Add the record of a RetrainRequest that exists, or did."""
        trigger = (body.get("spec") or {}).get("trigger")
        if not isinstance(trigger, Mapping):
            return
        key = identity(body, trigger)
        self._seen[key] = None
        self._seen.move_to_end(key)
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    def has(self, manifest: Mapping[str, Any]) -> bool:
        """Return whether the record of a RetrainRequest to be created has had one."""
        return identity(manifest, manifest["spec"]["trigger"]) in self._seen


def identity(body: Mapping[str, Any], trigger: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells one record's RetrainRequest from all others.

    Args:
        body: the RetrainRequest; a person may copy a trigger into one of another name.
        trigger: its record.
    """
    return (body["metadata"]["name"], *(trigger.get(field) for field in IDENTITY))
