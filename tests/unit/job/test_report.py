from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from retraining_job.contract import PromotionPolicy, Verdict, VerdictReason, Withheld
from retraining_job.evaluation.evidence import (
    Comparison,
    Contender,
    Evidence,
    FeatureRecord,
    HiddenLoss,
)
from retraining_job.evaluation.input_shape import FeatureShape
from retraining_job.report import render_report
from retraining_job.report.drawing import compute_ticks, round_up
from retraining_job.report.formats import (
    format_difference,
    format_number,
    format_percent,
    format_points,
    format_time_range,
)
from retraining_job.report.headline import get_headline
from retraining_job.report.markup import tag
from tests.unit.job.pages import Page, Picture, pictures
from tests.unit.job.sample_evidence import (
    THRESHOLD,
    build_evidence,
    build_features,
    build_unlabelled_evidence,
    input_change,
    input_shape,
)

HOSTILE = (
    "<script>alert(1)</script><img src=//evil.example/x onerror='alert(2)'>\"&lt;\x00\x1b[31m\u202e"
)
BARE = Evidence(
    provenance=build_evidence().provenance,
    threshold=THRESHOLD,
    threshold_source="setting",
    policy=PromotionPolicy.NON_INFERIOR,
    margin=0.05,
    challenger=Contender(),
)


def made_hostile(value: Any) -> Any:
    """Replace every text, whatever field it is in, and the settings' names too."""
    if isinstance(value, dict):
        return {key: made_hostile(one) for key, one in value.items()} | (
            {HOSTILE: 1} if "margin" in value else {}
        )
    if isinstance(value, list):
        return [made_hostile(one) for one in value]
    return HOSTILE * 30 if type(value) is str else value


HOSTILE_RUN = Evidence.model_validate(made_hostile(build_evidence(notes=["a"] * 100).model_dump()))
RUNS = {
    "promoted": build_evidence(),
    "no champion": build_evidence(champion=None, comparison=None, verdict="FirstModel"),
    "no truth": build_unlabelled_evidence(),
    "one period": build_evidence(periods=build_evidence().periods[:1]),
    "no margin": build_evidence(margin=0.0, policy=PromotionPolicy.SUPERIOR),
    "hostile": HOSTILE_RUN,
    "bare": BARE,
}
every_run = pytest.mark.parametrize("evidence", RUNS.values(), ids=RUNS)


@every_run
def test_a_page_is_well_formed_and_each_picture_has_words(evidence: Evidence) -> None:
    page = render_report(evidence)
    read = Page(page)
    assert read.opened == []
    identifiers = [value for _, name, value in read.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    for picture in pictures(page):
        if picture.get("aria-hidden") != "true":
            assert picture.get("role") == "img"
            assert all(
                identifier in identifiers
                for identifier in picture.get("aria-labelledby", "").split()
            )
            assert all(picture.findtext(name) for name in ("title", "desc"))


@every_run
def test_a_page_needs_nothing_from_outside_and_runs_nothing(evidence: Evidence) -> None:
    page = render_report(evidence)
    read = Page(page).attributes
    assert not {tag for tag, _, _ in read} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "a",
        "base",
        "form",
    }
    assert not [
        name
        for _, name, _ in read
        if name in {"src", "href", "xlink:href", "action", "style"} or name[:2] == "on"
    ]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in page


def test_texts_of_the_data_are_shown_and_are_never_markup() -> None:
    page = render_report(HOSTILE_RUN)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("<script>alert(1)</script>") == 0
    assert html.unescape(page).count("<script>alert(1)</script>") > 30
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)


def test_text_is_escaped_in_content_and_in_attributes_and_can_be_written() -> None:
    written = tag("p", "a < b & \ud800", tag("b", "c"), class_='"><i>')
    assert written.encode() == b'<p class="&quot;&gt;&lt;i&gt;">a &lt; b &amp; ?<b>c</b></p>'


@pytest.mark.parametrize(
    "evidence",
    [build_evidence(features=build_features(1000)), HOSTILE_RUN],
    ids=["1000 features", "hostile"],
)
def test_a_page_stays_small_and_says_what_it_leaves_out(evidence: Evidence) -> None:
    assert len(render_report(evidence).encode()) < 100_000


def test_features_with_something_to_tell_come_first_and_the_rest_is_counted() -> None:
    many = build_features(1000)
    many[999] = FeatureRecord(name="late", scaling="left out", note="constant")
    page = render_report(build_evidence(features=many))
    assert "1,000 features, 4 of them with a remark; 940 more are not shown." in page
    table = page[page.index("1,000 features, 4") :]
    assert table.index(">late<") < table.index(">feature_003<")


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (RUNS["no champion"], "The models were not compared: there was no champion."),
        (
            build_evidence(champion=None, comparison=None, verdict="UnreadableChampion"),
            "the champion cannot be read.",
        ),
        (RUNS["no truth"], "There is no curve to draw: no event of the hold-out has a label."),
        (RUNS["no truth"], "There are no scores to draw: no event of the hold-out has a label."),
        (RUNS["no truth"], "Average precision: not known for any period."),
        (RUNS["one period"], "The hold-out has only one period"),
        (build_evidence(periods=[]), "The run has recorded no metrics over time."),
        (build_evidence(features=[]), "The run has recorded no features."),
        (build_evidence(split=None), "The events were not split"),
        (BARE, "No events were held out for the evaluation, so there are no charts."),
        (BARE, "There are no metrics"),
        (BARE, "The run has recorded no shape of its input."),
        (BARE, "There is no champion whose alerts the labels could follow."),
        (BARE, "No average precision is known: no model was evaluated."),
    ],
)
def test_what_is_absent_is_said(evidence: Evidence, sentence: str) -> None:
    assert sentence in html.unescape(render_report(evidence))


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (
            build_evidence(),
            "Fewer events have velocity (91.0% of the newest events, 100.0% before).",
        ),
        (
            build_evidence(input=input_change(falls=[], noticed="")),
            "Nothing has changed by more than the usual variation.",
        ),
        (build_evidence(input=input_change(then=None)), "The champion has no recorded shape"),
        (
            build_evidence(input=input_change(beyond="Too much.", accepted=True)),
            "The change was accepted for this run.",
        ),
        (
            build_evidence(),
            "104 of 104 (100.0%) events with an alert of the champion have a label, "
            "and 4,536 of 4,896 (92.6%) events without an alert.",
        ),
        (
            build_evidence(hidden=[HiddenLoss(part="hst", champion=0.85, challenger=0.7)]),
            "The forest alone is worse",
        ),
        (build_evidence(reading=["3 rows were left out."]), "<li>3 rows were left out.</li>"),
    ],
)
def test_input_labels_and_parts_are_shown(evidence: Evidence, said: str) -> None:
    page = render_report(evidence)
    assert said in html.unescape(page)
    table = page[page.index("Input, then and now") :]
    assert table.index(">amount<") > 0 < table.index(">velocity<")


def test_feature_that_has_changed_comes_first() -> None:
    page = render_report(build_evidence())
    assert page.index("Input, then and now") < page.index(">velocity<") < page.index(">amount<")


def test_names_of_features_in_the_input_are_never_markup() -> None:
    hostile = FeatureShape(usable=1.0, newest=1.0, lowest=1.0)
    page = render_report(
        build_evidence(input=input_change(now=input_shape(**{HOSTILE: hostile}), new=[HOSTILE]))
    )
    assert "<script" not in page
    assert "<script>alert(1)</script>" in html.unescape(page)


def test_input_of_many_features_leaves_the_page_small() -> None:
    many = {
        f"feature_{number}": FeatureShape(usable=1.0, newest=1.0, lowest=1.0)
        for number in range(900)
    }
    page = render_report(build_evidence(input=input_change(now=input_shape(**many))))
    assert len(page.encode()) < 100_000
    assert "more features are not shown." in page


def test_the_curves_and_their_points_stand_where_the_evidence_says() -> None:
    evidence = build_evidence()
    picture = Picture(render_report(evidence), "curves")
    for role, one, shape, x, y in (
        ("champion", evidence.champion, "rect", "x", "y"),
        ("challenger", evidence.challenger, "circle", "cx", "cy"),
    ):
        assert one is not None
        assert one.curve is not None
        assert one.figures.mixture is not None
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
        mixture = one.figures.mixture
        assert marks[True] == pytest.approx(
            (mixture.budget_recall, mixture.budget_precision), abs=0.001
        )


@pytest.mark.parametrize(
    "bounds", [(-0.187, -0.254, -0.121), (0.431, 0.351, 0.512), (0.0, -0.0004, 0.0003)]
)
def test_the_interval_stands_where_the_comparison_says(bounds: tuple[float, float, float]) -> None:
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


def test_metrics_over_time_are_not_joined_across_what_is_unknown() -> None:
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
    ("changes", "words"),
    [
        ({}, "The challenger is live."),
        ({"promoted": None}, "The challenger may go live."),
        ({"promoted": False, "withheld": Withheld.DRY_RUN}, "not published: this was a dry run"),
        ({"promoted": False, "withheld": Withheld.AWAITING_DECISION}, "waits for approval"),
        ({"verdict": Verdict.KEPT, "promoted": False}, "The champion stays live."),
        (
            {"verdict": Verdict.INCONCLUSIVE, "promoted": True},
            "The challenger is live because of onInconclusive",
        ),
        ({"verdict": Verdict.INCONCLUSIVE, "promoted": False}, "The events do not show"),
        ({"verdict": Verdict.FIRST_MODEL}, "live as the first model"),
        (
            {"verdict": Verdict.UNFIT, "reason": VerdictReason.BELOW_FLOOR, "promoted": False},
            "not fit to be the first",
        ),
        ({"verdict": Verdict.UNREADABLE_CHAMPION, "promoted": False}, "cannot be read"),
        ({"verdict": Verdict.IDENTICAL, "promoted": False}, "identical to the champion"),
        ({"verdict": "", "promoted": None}, "no verdict"),
    ],
)
def test_the_headline_says_the_verdict_and_what_became_of_it(
    changes: dict[str, Any], words: str
) -> None:
    assert words in get_headline(build_evidence(**changes)).words


def test_numbers_and_dates_are_written_for_people() -> None:
    thin = "\N{NARROW NO-BREAK SPACE}"
    assert [
        format_percent(value) for value in (0.123, 0.0042, 0.95, 0.0, 1.0, None, float("nan"))
    ] == [
        *(f"{shown}{thin}%" for shown in ("12.3", "0.42", "95", "0", "100")),
        *("\N{EN DASH}", "\N{EN DASH}"),
    ]
    assert [format_difference(value) for value in (0.0314, -0.0041, None)] == [
        "+0.031",
        "\N{MINUS SIGN}0.004",
        "\N{EN DASH}",
    ]
    assert format_points(-0.012) == f"\N{MINUS SIGN}1.2{thin}pp"
    assert [format_number(value) for value in (0.7, 12_500.4, 1e300, -0.05)] == [
        "0.7",
        "12,500",
        "1e+300",
        "\N{MINUS SIGN}0.05",
    ]
    morning, evening = (
        datetime(2026, 11, 23, 6, 5, tzinfo=UTC),
        datetime(2026, 11, 23, 18, 0, tzinfo=UTC),
    )
    assert format_time_range(morning, evening) == "23 Nov 2026, 06:05 to 18:00 UTC"


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-0.312, 0.0514), (0.93, 0.931), (-3e-7, 9e9), (5.0, 5.0)]
)
def test_ticks_are_few_even_and_inside(low: float, high: float) -> None:
    found = compute_ticks(low, high)
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
    assert 1 <= len(found) <= 6
    steps = [other - one for one, other in pairwise(found)]
    assert steps == pytest.approx(steps[:1] * len(steps))
    assert round_up(0.039) == pytest.approx(0.04)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_words_and_lines_stand_out_from_the_page(theme: int) -> None:
    style = files("retraining_job.report").joinpath("style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+): #(\w{6})", style.split(":root {")[theme + 1]))

    def luminance(name: str) -> float:
        parts = [int(colours[name][place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (
            one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for name in ("ink", "soft", "champion", "challenger", "good", "plain", "open", "bad"):
        for ground in ("page", "panel"):
            light, dark = sorted((luminance(name), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{name} on {ground}"  # WCAG 2.2, 1.4.3
