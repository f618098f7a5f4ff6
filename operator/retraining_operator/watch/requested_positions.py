"""Records for which this process has seen a RetrainRequest, also if it was deleted since.

While a RetrainRequest exists, its name prevents a second run of its record. If it is deleted before
the handled offsets include the record, only these records do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from retraining_operator.api.record_request import compute_record_key

MAX_POSITIONS = 10_000
"""The handled offsets lack at most the last batch (200 records). 10,000 entries take 2 MB."""


class RequestedPositions:
    """The records whose RetrainRequests were seen last, under any of the names of a record.

    Objects that the operator has not created do not count.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[str, str] = OrderedDict()
        """The name of the request by the key of its record."""

    def add(self, body: Mapping[str, Any]) -> None:
        """Add the record of a RetrainRequest that exists or existed."""
        key = compute_record_key(body)
        if key is None:
            return
        self._names[key] = body["metadata"]["name"]
        self._names.move_to_end(key)
        if len(self._names) > MAX_POSITIONS:
            self._names.popitem(last=False)

    def find(self, manifest: Mapping[str, Any]) -> str | None:
        """Find the name under which the record of a RetrainRequest to be created was seen."""
        key = compute_record_key(manifest)
        return self._names.get(key) if key else None
