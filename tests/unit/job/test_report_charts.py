"""The charts of the report, read back from the page by the labels of their axes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from retraining_job.evaluation.evidence import (
    Comparison,
)
from retraining_job.report import render_report
from retraining_job.report.drawing import compute_ticks, round_up
from tests.unit.job.html_pages import Picture
from tests.unit.job.sample_evidence import (
    THRESHOLD,
    build_evidence,
)


def test_curves_and_their_points_are_drawn_at_the_values_of_the_evidence() -> None:
    evidence = build_evidence()
    picture = Picture(render_report(evidence), "curves")
    for role, one, shape, x, y in (
        ("champion", evidence.champion, "rect", "x", "y"),
        ("challenger", evidence.challenger, "circle", "cx", "cy"),
    ):
        assert one is not None
        assert one.curve is not None
        assert one.metrics.combined is not None
        (line,) = picture.of("polyline", role)
        drawn = [place.split(",") for place in line.get("points", "").split()]
        recall, precision = [picture.x(x) for x, _ in drawn], [picture.y(y) for _, y in drawn]
        assert recall[::2] == pytest.approx(one.curve.recall, abs=0.001)
        assert precision[::2] == pytest.approx(one.curve.precision, abs=0.001)
        assert recall[1::2] == recall[:-1:2]  # steps: first down, then on
        assert precision[1::2] == precision[2::2]
        half = 4 if shape == "rect" else 0
        marks = {
            "hollow" in mark.get("class", ""): (
                picture.x(str(float(mark.get(x, "")) + half)),
                picture.y(str(float(mark.get(y, "")) + half)),
            )
            for mark in picture.of(shape, "marker", role)
        }
        assert marks[False] == pytest.approx(
            (one.threshold_recall, one.threshold_precision), abs=0.001
        )
        combined = one.metrics.combined
        assert marks[True] == pytest.approx(
            (combined.budget_recall, combined.budget_precision), abs=0.001
        )


@pytest.mark.parametrize(
    "bounds", [(-0.187, -0.254, -0.121), (0.431, 0.351, 0.512), (0.0, -0.0004, 0.0003)]
)
def test_interval_is_drawn_at_the_bounds_of_the_comparison(
    bounds: tuple[float, float, float],
) -> None:
    difference, lower, upper = bounds
    compared = Comparison(
        difference=difference, lower=lower, upper=upper, confidence=0.95, draws=1000, seed=42
    )
    picture = Picture(render_report(build_evidence(comparison=compared)), "difference")
    whisker = picture.of("line", "whisker")[0]
    near = 0.003 * max(1.0, abs(difference) * 2)
    assert picture.x(whisker.get("x1")) == pytest.approx(lower, abs=near)
    assert picture.x(whisker.get("x2")) == pytest.approx(upper, abs=near)
    assert picture.x(picture.of("circle")[0].get("cx")) == pytest.approx(difference, abs=near)
    assert picture.x(picture.of("line", "margin")[0].get("x1")) == pytest.approx(-0.05, abs=near)
    assert picture.x(picture.of("rect", "cleared")[0].get("x")) == pytest.approx(-0.05, abs=near)


def test_scores_are_drawn_by_the_share_of_their_class_with_both_thresholds() -> None:
    evidence = build_evidence()
    picture = Picture(render_report(evidence), "scores-challenger")
    histogram = evidence.challenger.histogram
    assert histogram is not None
    (outline,) = picture.of("polyline", "anomalies")
    filled = [index for index, count in enumerate(histogram.anomalies) if count]
    corners = [place.split(",") for place in outline.get("points", "").split()]
    assert len(corners) == 2 * (filled[-1] - filled[0] + 1) + 2
    assert picture.x(corners[0][0]) == pytest.approx(histogram.edges[filled[0]], abs=0.002)
    assert picture.x(corners[-1][0]) == pytest.approx(histogram.edges[filled[-1] + 1], abs=0.002)
    bottom = float(corners[0][1])
    heights = [bottom - float(y) for _, y in corners[1:-1:2]]
    counts = histogram.anomalies[filled[0] : filled[-1] + 1]
    ratios = [(height / max(heights)) ** 2 for height in heights]  # a root scale
    assert ratios == pytest.approx([count / max(counts) for count in counts], abs=0.01)
    label, percents = picture.up[-1]
    tallest = percents / 100 * (max(heights) / (bottom + 4 - label)) ** 2
    assert tallest == pytest.approx(max(counts) / sum(counts), rel=0.02)
    assert picture.x(picture.of("line", "cut")[0].get("x1")) == pytest.approx(THRESHOLD, abs=0.002)
    assert picture.x(picture.of("line", "matching")[0].get("x1")) == pytest.approx(0.713, abs=0.002)


def test_lines_over_time_have_gaps_at_unknown_values() -> None:
    evidence = build_evidence()
    precision, rate = (
        Picture(render_report(evidence), "periods-precision"),
        Picture(render_report(evidence), "periods-rate"),
    )
    assert [
        len(line.get("points", "").split()) for line in precision.of("polyline", "challenger")
    ] == [6, 3]
    assert [len(line.get("points", "").split()) for line in rate.of("polyline", "challenger")] == [
        10
    ]
    drawn = [rate.y(str(float(mark.get("y", "")) + 4)) for mark in rate.of("rect", "champion")]
    assert drawn == pytest.approx(
        [100 * (one.champion_alert_rate or 0) for one in evidence.periods], abs=0.03
    )


def test_the_split_is_drawn_in_proportion_and_a_small_gap_is_still_seen() -> None:
    training, gap, hold_out = (
        float(one.get("width", ""))
        for one in Picture(render_report(build_evidence()), "split").of("rect")
    )
    assert training / hold_out == pytest.approx(44_750 / 5_000, rel=0.01)
    assert gap == 6


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-0.312, 0.0514), (0.93, 0.931), (-3e-7, 9e9), (5.0, 5.0)]
)
def test_ticks_are_few_evenly_spaced_and_inside_the_range(low: float, high: float) -> None:
    found = compute_ticks(low, high)
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
    assert 1 <= len(found) <= 6
    steps = [other - one for one, other in pairwise(found)]
    assert steps == pytest.approx(steps[:1] * len(steps))
    assert round_up(0.039) == pytest.approx(0.04)


def test_each_model_is_drawn_with_the_threshold_that_is_live_with_it() -> None:
    evidence = build_evidence()
    own = evidence.challenger.model_copy(update={"published_threshold": 0.83})
    page = render_report(evidence.model_copy(update={"challenger": own}))
    for role, threshold in (("champion", THRESHOLD), ("challenger", 0.83)):
        picture = Picture(page, f"scores-{role}")
        (cut,) = picture.of("line", "cut")
        assert picture.x(cut.get("x1", "")) == pytest.approx(threshold, abs=0.001)
    assert f"Alert rate above {THRESHOLD:g} (challenger: 0.83)" in page
