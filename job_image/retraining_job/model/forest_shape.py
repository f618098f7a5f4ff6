"""The shape of a forest: its trees, their height, its window and the features that it splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from retraining_job.model.model import Model


SIZES: Sequence[tuple[int, int]] = ((100, 4), (25, 8), (100, 6))
"""Numbers of trees and their height."""
DEVIATION_SIZE = (10, 10)
"""Of a forest of the deviation feature alone. At this height few values share a node, so that all
scores are close to 1."""
WINDOW = 20_000
"""Events in a window, at most. A long window covers several days of most streams, so that an hour
or a weekday that the newest events lack is not taken for an anomaly."""


class ForestShape(NamedTuple):
    """What decides how the scores of a forest spread.

    Args:
        n_trees: The number of trees.
        height: Their height.
        window_size: The number of events whose masses the scores are computed from.
        names: The features that the trees split, sorted.
    """

    n_trees: int
    height: int
    window_size: int
    names: tuple[str, ...]

    @property
    def nodes(self) -> int:
        """The number of nodes of all trees."""
        return self.n_trees * ((1 << (self.height + 1)) - 1)


def get_shape(model: Model) -> ForestShape:
    """Return the shape of a model's forest."""
    forest = model.hst
    return ForestShape(forest.n_trees, forest.height, forest.window_size, model.feature_names)


def list_candidate_shapes(
    configured: ForestShape, deviation_feature: str, rows: int
) -> list[ForestShape]:
    """List the shapes that a calibration compares.

    Low trees with many events in their window spread their scores widely and evenly; high trees
    score most events close to 1. A forest of the deviation feature alone has nearly constant
    scores, so that the deviation score decides the order.

    Args:
        configured: The shape of the settings.
        deviation_feature: The feature of the deviation score.
        rows: How many rows a forest can learn.

    Returns:
        The shapes, those with fewer nodes first.
    """
    window = min(WINDOW, rows)
    shapes = [ForestShape(n_trees, height, window, configured.names) for n_trees, height in SIZES]
    if deviation_feature in configured.names:
        shapes.append(ForestShape(*DEVIATION_SIZE, window, (deviation_feature,)))
    return sorted({configured, *shapes}, key=lambda shape: (shape.nodes, -shape.window_size))
