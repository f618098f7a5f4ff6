"""What a label states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.events.truth import has_truth, parse_truth

ANOMALY, NORMAL, UNKNOWN = 1, 0, -1


@pytest.mark.parametrize(
    ("label", "truth"),
    [
        (1, ANOMALY),
        (0.5, ANOMALY),
        (" True ", ANOMALY),
        ("1e0", ANOMALY),
        ("\x1c1", ANOMALY),
        (0, NORMAL),
        ("false", NORMAL),
        ("0.0", NORMAL),
        (None, UNKNOWN),
        ("", UNKNOWN),
        ("perhaps", UNKNOWN),
        ("nan", UNKNOWN),
        (float("inf"), UNKNOWN),
    ],
)
def test_label_states_a_truth_or_none(label: object, truth: int) -> None:
    assert parse_truth(label) == truth


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_both_presets_agree_on_which_labels_state_a_truth(label: object) -> None:
    assert has_truth(label) == (parse_truth(label) != UNKNOWN)
