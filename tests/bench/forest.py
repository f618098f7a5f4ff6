"""One side of the comparison with river: `python -m tests.bench.forest river|ours EVENTS PICKLE`.

Both get the same events: 11 features in [0, 1], oldest to newest, the newest 5,000 held out.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np

from retraining_job.model.tree_growth import ForestParameters
from tests.bench.child import Stopwatch

NAMES = tuple(f"feature_{number:02d}" for number in range(11))
HELD_OUT = 5_000
SHAPE: ForestParameters = {"n_trees": 25, "height": 15, "window_size": 250, "seed": 42}


def made_up(rows: int) -> np.ndarray:
    """Generate events, shape (rows, 11)."""
    return np.random.default_rng(1).beta(2.0, 5.0, (rows, len(NAMES)))


def river(matrix: np.ndarray, path: Path) -> None:
    """Train plain river, as its users do.

    Args:
        matrix: Shape (rows, 11), float64, values in [0, 1].
        path: The file for the pickle.
    """
    clock = Stopwatch()
    with clock.step("import"):
        from river.anomaly import HalfSpaceTrees  # noqa: PLC0415
    events = [dict(zip(NAMES, row, strict=True)) for row in matrix.tolist()]
    forest = HalfSpaceTrees(**SHAPE)
    with clock.step("build"):
        forest.learn_one(events[0])
    with clock.step("train"):
        for event in events[1:-HELD_OUT]:
            forest.learn_one(event)
    with clock.step("evaluate"):
        scores = [forest.score_one(event) for event in events[-HELD_OUT:]]
    with clock.step("write"):
        path.write_bytes(pickle.dumps({"hst": forest, "sad": None}))
    clock.leave(megabytes=path.stat().st_size / 1e6, checksum=sum(scores))


def ours(matrix: np.ndarray, path: Path) -> None:
    """Train the same forest as the trainer does, including the equivalence check.

    Args:
        matrix: Shape (rows, 11), float64, values in [0, 1].
        path: The file for the pickle.

    Raises:
        RuntimeError: The equivalence check failed.
    """
    clock = Stopwatch()
    with clock.step("import"):
        from retraining_job.deviation import StandardAbsoluteDeviation  # noqa: PLC0415
        from retraining_job.model.array_forest import ArrayForest  # noqa: PLC0415
        from retraining_job.model.equivalence import check_equivalence  # noqa: PLC0415
        from retraining_job.model.forest_pickle import pickle_forest  # noqa: PLC0415
    with clock.step("build"):
        if doubt := check_equivalence():
            raise RuntimeError(doubt)
        forest = ArrayForest.grow(NAMES, **SHAPE)
    with clock.step("train"):
        forest.learn_many(matrix[:-HELD_OUT])
    with clock.step("evaluate"):
        scores = forest.score_many(matrix[-HELD_OUT:])
    with clock.step("write"):
        path.write_bytes(pickle_forest(forest, StandardAbsoluteDeviation()))
    clock.leave(megabytes=path.stat().st_size / 1e6, checksum=float(sum(scores.tolist())))


def load(path: Path) -> None:
    """Measure how long a reader loads the model."""
    clock = Stopwatch()
    import river.anomaly  # noqa: F401, PLC0415  # a reader has already imported it

    content = path.read_bytes()
    with clock.step("load"):
        pickle.loads(content)  # noqa: S301  # written just before
    clock.leave()


if __name__ == "__main__":
    side, events, name = sys.argv[1:]
    if side == "load":
        load(Path(name))
    else:
        {"river": river, "ours": ours}[side](made_up(int(events)), Path(name))
