"""The page: the verdict at the top, then the charts, then the tables."""

from __future__ import annotations

from importlib.resources import files

from retraining_job.evaluation.evidence import Evidence
from retraining_job.report.calibration_table import render_calibration
from retraining_job.report.difference import draw_difference
from retraining_job.report.drawing import draw_swatch
from retraining_job.report.formats import format_metric, format_percent, shorten
from retraining_job.report.header import get_verdict, render_header
from retraining_job.report.input_tables import render_input
from retraining_job.report.label_tables import render_labels, render_parts
from retraining_job.report.markup import Markup, tag
from retraining_job.report.metrics_table import render_metrics
from retraining_job.report.periods import draw_periods
from retraining_job.report.precision_recall import draw_precision_recall
from retraining_job.report.roles import describe_budget, describe_thresholds
from retraining_job.report.run_tables import render_features, render_provenance, render_settings
from retraining_job.report.score_histograms import draw_score_histograms
from retraining_job.report.split_bar import draw_split

NOTE_LIMIT, NOTES_SHOWN, RUN_LIMIT = 500, 20, 80
"""Characters of a note, number of notes, and characters of the run id in the title."""

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser loads nothing and runs no script, whatever the page contains."""


def render_report(evidence: Evidence) -> str:
    """Render the evidence of one run as a self-contained HTML page of less than 100 KB."""
    title = (
        f"{get_verdict(evidence)} {chr(0xB7)} run {shorten(evidence.provenance.run_id, RUN_LIMIT)}"
    )
    style = files("retraining_job.report").joinpath("style.css").read_text(encoding="utf-8")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">',
            tag("title", title),
            f"<style>\n{style}</style></head>",
            "<body>",
            render_header(evidence),
            _render_main(evidence),
            "</body></html>\n",
        ]
    )


def _render_main(evidence: Evidence) -> Markup:
    return tag(
        "main",
        _render_tiles(evidence),
        *_render_notes(evidence),
        *_draw_charts(evidence),
        _render_section("Average precision by part", render_parts(evidence)),
        _render_section("Labels by alert of the champion", render_labels(evidence)),
        _render_section("Input, then and now", render_input(evidence)),
        _render_section("Calibration", render_calibration(evidence)),
        _render_section("Metrics", render_metrics(evidence)),
        _render_section("Features", render_features(evidence)),
        _render_section("Provenance", render_provenance(evidence)),
        _render_section("Settings", render_settings(evidence)),
    )


def _render_notes(evidence: Evidence) -> list[Markup]:
    notes = [*evidence.reading, *evidence.notes]
    if not notes:
        return []
    content = [tag("ul", *(tag("li", shorten(note, NOTE_LIMIT)) for note in notes[:NOTES_SHOWN]))]
    more = len(notes) - NOTES_SHOWN
    if more > 0:
        content.append(tag("p", f"{more:,} more notes are in the evidence.", class_="caption"))
    return [_render_section("Notes", *content)]


def _draw_charts(evidence: Evidence) -> list[Markup]:
    """Draw all charts. Returns one sentence for all of them if nothing was held out."""
    if evidence.split is None and evidence.challenger.curve is None and not evidence.periods:
        note = "No events were held out for the evaluation, so there are no charts."
        return [_render_section("Charts", tag("p", note, class_="absent"))]
    curves = _render_section("Precision and recall", draw_precision_recall(evidence))
    difference = _render_section("Difference of average precision", draw_difference(evidence))
    split = _render_section("Training and hold-out", draw_split(evidence))
    return [
        tag("div", curves, tag("div", difference, split), class_="columns"),
        _render_section("Scores by class", draw_score_histograms(evidence)),
        _render_section("Metrics over time", draw_periods(evidence)),
    ]


def _render_section(title: str, *content: Markup) -> Markup:
    return tag("section", tag("h2", title), *content)


def _render_tiles(evidence: Evidence) -> Markup:
    """Render the four most important metrics."""
    champion = evidence.champion.metrics.combined if evidence.champion else None
    challenger = evidence.challenger.metrics.combined
    if champion is None and challenger is None:
        return Markup("")
    budget = describe_budget(evidence)
    metrics = [
        ("Average precision", "average_precision", format_metric),
        (f"Precision {budget}", "budget_precision", format_metric),
        (f"Recall {budget}", "budget_recall", format_metric),
        (f"Alert rate above {describe_thresholds(evidence)}", "alert_rate", format_percent),
    ]
    tiles = []
    for name, field, format_value in metrics:
        values = []
        if champion is not None:
            values.append(_render_value("champion", format_value(getattr(champion, field))))
        if challenger is not None:
            values.append(_render_value("challenger", format_value(getattr(challenger, field))))
        tiles.append(tag("div", tag("h3", name), *values))
    return tag("div", *tiles, class_="tiles")


def _render_value(role: str, value: str) -> Markup:
    return tag("p", draw_swatch(role), tag("span", role), tag("strong", value))
