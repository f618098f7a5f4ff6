"""The memo of a pickle: values that it stores to use them again. Most of them are nodes."""

from __future__ import annotations

from array import array

import numpy as np

from retraining_job.foreign_pickle.boxed_nodes import NodeIndex
from retraining_job.model.model import UnreadableModelError

OTHER, CONSUMED = -2, -1


class BoxMemo:
    """The values by place. Places are used one after the other.

    Args:
        limit: Most places.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.codes = array("i")
        """For each place, the index of a node; or `OTHER`; or `CONSUMED` for a part of a node that
        is in the arrays only. A pickle of a model never fetches such a part."""
        self.objects: dict[int, object] = {}
        """The values that are no nodes, by place."""

    def __len__(self) -> int:
        return len(self.codes)

    def append(self, value: object) -> None:
        """Store a value in the next place.

        Args:
            value: The value.

        Raises:
            UnreadableModelError: There are too many.
        """
        place = len(self.codes)
        if place >= self.limit:
            raise UnreadableModelError("it stores more values in its memo than a model")
        if type(value) is NodeIndex:
            self.codes.append(value)
        else:
            self.codes.append(OTHER)
            self.objects[place] = value

    def get(self, place: int) -> object:
        """Return a value.

        Args:
            place: Its place.

        Returns:
            The value.

        Raises:
            UnreadableModelError: There is none.
        """
        code = self.codes[place] if place < len(self.codes) else CONSUMED
        if code == CONSUMED:
            raise UnreadableModelError(
                f"it is not a pickle of a model: it uses place {place:,} of its memo, which holds "
                "no value of a model"
            )
        return self.objects[place] if code == OTHER else NodeIndex(code)

    def extend(self, is_put: np.ndarray, places: np.ndarray, node: np.ndarray) -> bool:
        """Store the nodes and their parts that groups of opcodes store.

        Args:
            is_put: Shape (2, n), bool. Whether a group stores its node, and another value after it.
            places: Shape (2, n), int64. The places that it names for them, -1 for the next one.
            node: Shape (n,), int32. The node of each group.

        Returns:
            False if a group names another place than the next, or there are too many. Nothing was
            stored then.
        """
        stored = np.cumsum(is_put.T.reshape(-1))
        if len(self) + int(stored[-1]) > self.limit:
            return False
        next_places = len(self) + stored.reshape(-1, 2).T - 1
        if not (~is_put | (places == -1) | (places == next_places)).all():
            return False
        codes = np.full(int(stored[-1]), CONSUMED, np.int32)
        codes[next_places[0, is_put[0]] - len(self)] = node[is_put[0]]
        self.codes.frombytes(codes.tobytes())
        return True
