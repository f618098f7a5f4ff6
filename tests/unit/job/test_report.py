"""The report of a run, as a page."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from retraining_job.contract import PromotionPolicy, escape_page
from retraining_job.evaluation.evidence import (
    Contender,
    Evidence,
    FeatureRecord,
    HiddenLoss,
)
from retraining_job.evaluation.input_shape import FeatureShape
from retraining_job.report import render_report
from retraining_job.report.markup import tag
from tests.unit.job.html_pages import Page, pictures
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
    """Replace every text of every field, and the names of the settings."""
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


@every_run
def test_a_page_is_printed_byte_for_byte(evidence: Evidence) -> None:
    page = render_report(evidence)
    assert escape_page(page).encode() == page.encode()


def test_texts_of_the_data_are_shown_and_are_never_markup() -> None:
    page = render_report(HOSTILE_RUN)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("<script>alert(1)</script>") == 0
    assert html.unescape(page).count("<script>alert(1)</script>") > 30
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)


def test_text_is_escaped_in_content_and_in_attributes_and_can_be_written() -> None:
    written = tag("p", "a < b & \ud800", tag("b", "c"), class_='"><i>')
    assert written.encode() == (
        rb'<p class="&quot;&gt;&lt;i&gt;">a &lt; b &amp; \ud800<b>c</b></p>'
    )


@pytest.mark.parametrize(
    "evidence",
    [build_evidence(features=build_features(1000)), HOSTILE_RUN],
    ids=["1000 features", "hostile"],
)
def test_a_page_stays_small_and_says_what_it_leaves_out(evidence: Evidence) -> None:
    assert len(render_report(evidence).encode()) < 100_000


def test_features_with_a_remark_come_first_and_the_rest_is_counted() -> None:
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
def test_missing_parts_are_explained(evidence: Evidence, sentence: str) -> None:
    assert sentence in html.unescape(render_report(evidence))


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (
            build_evidence(),
            "Fewer events have velocity (91.0% of the newest events, 100.0% before).",
        ),
        (
            build_evidence(input=input_change(losses=[], noticed="")),
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
