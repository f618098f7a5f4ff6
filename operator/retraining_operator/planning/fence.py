"""A fence around each request: if planning one fails, the others are planned as if it waited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from retraining_operator.api.request import RetrainRequest

Value = TypeVar("Value")


class Fence:
    """Stores why requests could not be planned."""

    def __init__(self) -> None:
        self.failures: dict[str, Exception] = {}
        """The errors by the uid of the request."""

    def run(self, request: RetrainRequest, compute: Callable[[], Value], default: Value) -> Value:
        """Compute something about one request.

        Args:
            request: The request.
            compute: The computation.
            default: The result if the computation fails, now or before.

        Returns:
            The result.
        """
        if request.uid in self.failures:
            return default
        try:
            return compute()
        except Exception as error:  # noqa: BLE001  # a defect must not stop the others
            self.failures[request.uid] = error
            return default
