"""The page: the verdict at the head, then the pictures, then the tables. Pure."""

from __future__ import annotations

from importlib.resources import files

from retraining_job.contract import PartMetrics
from retraining_job.evaluation.evidence import Evidence
from retraining_job.report import guards, tables
from retraining_job.report.course import course
from retraining_job.report.curves import curves
from retraining_job.report.drawing import swatch
from retraining_job.report.interval import interval
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.split import split
from retraining_job.report.spread import spread
from retraining_job.report.wording import (
    at_budget,
    count,
    date,
    headline,
    missing_champion,
    number,
    percent,
    plain,
    shortened,
    span,
)

MESSAGE_LIMIT, NOTE_LIMIT, NOTES_SHOWN = 4000, 500, 20

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is loaded and no script runs, whatever the page holds."""


def render_report(evidence: Evidence) -> str:
    """Draw the evidence of one run as a page of HTML that needs nothing from outside; less than 100 KB."""
    verdict = shortened(evidence.verdict, 40) or "No verdict"
    title = f"{verdict} {chr(0xB7)} run {shortened(evidence.provenance.run_id, 80)}"
    style = files("retraining_job.report").joinpath("style.css").read_text(encoding="utf-8")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            tag("title", title),
            f"<style>\n{style}</style></head>",
            "<body>",
            _head(evidence),
            _main(evidence),
            "</body></html>\n",
        ]
    )


def _head(evidence: Evidence) -> Markup:
    said = headline(evidence)
    origin = evidence.provenance
    facts = [
        ("Run", shortened(origin.run_id, 100)),
        ("Request", shortened(origin.request, 100)),
        ("Because", shortened(origin.trigger_reason, 300)),
        ("Judged", date(origin.judged_at) if origin.judged_at else ""),
        (
            "Data",
            f"{count(origin.window.rows, 'row')} of {shortened(origin.source, 80)}, checksum {origin.checksum[:12]}",
        ),
        ("From", span(origin.window.first, origin.window.last)),
        ("Champion", _champion(evidence)),
        ("Policy", f"{evidence.policy}, preset {shortened(origin.preset, 40)}"),
    ]
    return tag(
        "header",
        tag("p", "Retraining report", class_="kicker"),
        tag(
            "p",
            tag("span", said.sign, class_="sign", aria_hidden="true"),
            f" {shortened(evidence.verdict, 40) or 'No verdict'}",
            class_=f"badge {said.kind}",
        ),
        *(
            [tag("code", shortened(evidence.reason, 80), class_="reason")]
            if evidence.reason
            else []
        ),
        tag("h1", said.words),
        *(
            [tag("p", shortened(evidence.message, MESSAGE_LIMIT), class_="message")]
            if evidence.message
            else []
        ),
        tag(
            "dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts if value)
        ),
    )


def _champion(evidence: Evidence) -> str:
    if evidence.champion is None:
        return missing_champion(evidence)
    version = evidence.champion.version
    return "version not known" if version is None else f"version {version}"


def _main(evidence: Evidence) -> Markup:
    return tag(
        "main",
        _tiles(evidence),
        *_notes(evidence),
        *_pictures(evidence),
        _section("Average precision by part", guards.parts(evidence)),
        _section("Labels by alert of the champion", guards.labels(evidence)),
        _section("Input, then and now", guards.input_shape(evidence)),
        _section("Figures", tables.figures(evidence)),
        _section("Features", tables.features(evidence)),
        _section("Provenance", tables.provenance(evidence)),
        _section("Settings", tables.settings(evidence)),
    )


def _notes(evidence: Evidence) -> list[Markup]:
    notes = [*evidence.reading, *evidence.notes]
    if not notes:
        return []
    shown = tag("ul", *(tag("li", shortened(note, NOTE_LIMIT)) for note in notes[:NOTES_SHOWN]))
    more = len(notes) - NOTES_SHOWN
    rest = [tag("p", f"The evidence has {more:,} more.", class_="caption")] if more > 0 else []
    return [_section("Notes", shown, *rest)]


def _pictures(evidence: Evidence) -> list[Markup]:
    """Draw what there is; one sentence where nothing was held out, instead of one for each picture."""
    if evidence.split is None and evidence.challenger.curve is None and not evidence.periods:
        return [
            _section(
                "Pictures",
                tag("p", "No events were held out to judge on: nothing to draw.", class_="absent"),
            )
        ]
    curve = _section("Precision and recall", curves(evidence))
    difference = _section("Difference of average precision", interval(evidence))
    parts = _section("What trained and what judged", split(evidence))
    return [
        tag("div", curve, tag("div", difference, parts), class_="columns"),
        _section("Scores by class", spread(evidence)),
        _section("Over time", course(evidence)),
    ]


def _section(title: str, *content: Markup) -> Markup:
    return tag("section", tag("h2", title), *content)


def _tiles(evidence: Evidence) -> Markup:
    """Show the four figures that a reader looks for first."""
    champion = evidence.champion.figures.mixture if evidence.champion else None
    challenger = evidence.challenger.figures.mixture
    if champion is None and challenger is None:
        return Markup("")
    spent = at_budget(evidence)
    shown = [
        ("Average precision", "average_precision", number),
        (f"Precision {spent}", "budget_precision", number),
        (f"Recall {spent}", "budget_recall", number),
        (f"Alert rate above {plain(evidence.threshold)}", "alert_rate", percent),
    ]
    tiles = [
        tag(
            "div",
            tag("h3", name),
            *(
                _tile(role, one, write(getattr(one, field)) if one else "")
                for role, one in (("champion", champion), ("challenger", challenger))
            ),
        )
        for name, field, write in shown
    ]
    return tag("div", *tiles, class_="tiles")


def _tile(role: str, one: PartMetrics | None, value: str) -> Markup:
    return tag("p", swatch(role), tag("span", role), tag("strong", value)) if one else joined()
