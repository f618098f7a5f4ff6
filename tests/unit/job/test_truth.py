"""What a label states, in both presets."""

import math
from decimal import Decimal

import pytest

from retraining_job.events.truth import has_truth, is_anomaly, parse_truth


@pytest.mark.parametrize(
    ("label", "truth"),
    [
        (1, 1), (0, 0), (2, 1), (True, 1), (False, 0), (1.0, 1), (Decimal(0), 0), ("t", 1),
        (" Yes ", 1), ("f", 0), (0.5, 1), ("\x1c1", 1), ("0.0", 0), (math.inf, -1), ("perhaps", -1),
        ("1.0", 1),
        ("0", 0), (None, -1), ("", -1), ("unsure", -1), (math.nan, -1), ("nan", -1),
         (Decimal("NaN"), -1),
        ([1], -1),
    ],
)  # fmt: skip
def test_truth_is_known_or_unknown(label: object, truth: int) -> None:
    assert parse_truth(label) == truth
    assert has_truth(label) == (truth != -1)
    assert truth == -1 or is_anomaly(label) == bool(truth)
