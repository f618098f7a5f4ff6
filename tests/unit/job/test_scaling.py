"""Scaling: chosen from the training rows alone, and inverted for thresholds in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from retraining_job.contract import Scaling
from retraining_job.model.scaling import (
    FeatureScaling,
    build_unscale,
    compute_exponential,
    compute_logarithm,
)
from retraining_job.model.scaling_choice import choose_scaling, choose_scalings
from retraining_job.presets.feature_records import build_feature_record

FINITE = st.floats(allow_nan=False, allow_infinity=False)
RANDOM = np.random.default_rng(1)
UNIFORM = RANDOM.uniform(-3, 8, 2_000)
AMOUNTS = RANDOM.lognormal(3, 1.2, 2_000)
BOTH_SIDES = RANDOM.standard_t(1.5, 2_000)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param(UNIFORM, "linear", id="even values"),
        pytest.param(RANDOM.normal(0, 1, 2_000), "linear", id="normal values"),
        pytest.param(AMOUNTS, "log", id="amounts"),
        pytest.param(-AMOUNTS, "log", id="amounts below zero"),
        pytest.param(BOTH_SIDES, "log", id="tails on both sides"),
        pytest.param((UNIFORM > 7.9).astype(float), "linear", id="a flag that is seldom set"),
        pytest.param(
            np.append(np.zeros(999), AMOUNTS[:9]),
            "linear",
            id="mostly zero, the rest not far apart",
        ),
        pytest.param(np.append(UNIFORM, 1e12), "log", id="one absurd value"),
        pytest.param(np.array([-1.7e308, 0.0, 1.7e308]), "linear", id="a range beyond floats"),
        pytest.param(
            np.array([0.0] + [5e-324] * 20 + [1e308]), "linear", id="a unit too small to divide by"
        ),
    ],
)
def test_heavy_tails_take_a_logarithm(values: np.ndarray, kind: str) -> None:
    assert choose_scaling("x", values, Scaling.AUTO).kind == kind


def test_setting_replaces_the_automatic_choice() -> None:
    assert choose_scaling("x", AMOUNTS, Scaling.LINEAR).kind == "linear"
    raw = choose_scaling("x", AMOUNTS, Scaling.NONE)
    assert raw.kind == "none"
    assert raw.unscale(np.array([0.2, 0.7])).tolist() == [0.2, 0.7]


@given(
    values=arrays.arrays(float, st.integers(2, 40), elements=FINITE),
    mode=st.sampled_from(Scaling),
    data=st.data(),
)
def test_thresholds_keep_order_and_stay_inside(
    values: np.ndarray, mode: Scaling, data: st.DataObject
) -> None:
    if values.min() == values.max():
        values[0] = np.nextafter(values[0], -np.inf if values[0] > 0 else np.inf)
    scaling = choose_scaling("x", values, mode)
    scaled = np.sort(data.draw(arrays.arrays(float, 30, elements=st.floats(0, 1))))
    raw = scaling.unscale(scaled)
    assert np.isfinite(raw).all()
    assert (np.diff(raw) >= 0).all()
    assert raw.min() >= scaling.low
    assert raw.max() <= scaling.high


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e6), st.floats(1.0, 1e9))
def test_logarithm_is_inverted(centre: float, unit: float, reach: float) -> None:
    scaling = FeatureScaling(
        "x", "log", centre - unit * reach, centre + 2 * unit * reach, centre, unit
    )
    ends = scaling.unscale(np.array([0.0, 1.0]))
    assert ends == pytest.approx([scaling.low, scaling.high], rel=1e-9, abs=1e-9 * unit * reach)


def test_it_is_a_logarithm_to_one_in_a_hundred() -> None:
    ratio = np.array([-1e6, -3.0, 0.0, 1e-3, 1.0, 250.0])
    assert compute_logarithm(ratio) == pytest.approx(
        np.copysign(np.log1p(np.abs(ratio)), ratio), rel=0.01
    )
    assert compute_exponential(compute_logarithm(ratio)) == pytest.approx(
        ratio, rel=1e-9, abs=1e-12
    )


def test_rows_after_the_training_rows_change_nothing() -> None:
    training, later = AMOUNTS[:1_500, None], AMOUNTS[1_500:, None] * 1_000
    alone = choose_scalings(["x"], training, [0], Scaling.AUTO)
    part = choose_scalings(["x"], np.concatenate([training, later])[:1_500], [0], Scaling.AUTO)
    assert alone == part


def test_features_that_trees_cannot_use_are_left_out_and_reported() -> None:
    n = 2_000
    gone = np.where(np.arange(n) < 1_100, np.nan, UNIFORM)
    holes = np.where(np.arange(n) < 900, np.nan, UNIFORM)
    training = np.column_stack([AMOUNTS, np.full(n, 7.0), gone, holes, np.full(n, np.nan)])
    choices = choose_scalings(
        ["a", "constant", "gone", "holes", "text"], training, [0, 0, 3, 0, n], Scaling.AUTO
    )
    assert [choice.name for choice in choices if choice.scaling] == ["a", "holes"]
    notes = {
        record.name: (record.scaling, record.missing, record.unusable, record.note)
        for record in map(build_feature_record, choices)
    }
    assert notes["a"] == ("log", 0, 0, "")
    assert notes["constant"] == (
        "left out",
        0,
        0,
        "its value is 7 in every training row that has it",
    )
    assert notes["gone"][:3] == ("left out", 1_100, 3)
    assert "only 900 of the 2,000" in notes["gone"][3]
    assert notes["holes"] == (
        "linear",
        900,
        0,
        "missing in 900 training rows, which follow the branch with more events",
    )
    assert notes["text"] == (
        "left out",
        n,
        n,
        "none of the 2,000 training rows has a finite number for it",
    )


def test_each_feature_has_its_own_inverse() -> None:
    unscale = build_unscale(
        [FeatureScaling("a", "linear", 0.0, 10.0), FeatureScaling("b", "linear", -1.0, 1.0)]
    )
    assert unscale("a", np.array([0.5])).tolist() == [5.0]
    assert unscale("b", np.array([0.5])).tolist() == [0.0]
