"""Which rows trained and which judged, as a bar with dates and counts. Pure."""

from __future__ import annotations

from retraining_job.evaluation.evidence import Evidence
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.wording import count, span

LEAST = 6.0
"""A part narrower than this, of 440, would not be seen."""


def split(evidence: Evidence) -> Markup:
    """Draw training, gap and hold-out, oldest to newest; a sentence where the rows were not split."""
    parts = evidence.split
    if parts is None:
        return tag("p", "The events were not split: none were held out.", class_="absent")
    rows = [
        ("training", parts.training.rows),
        ("gap", parts.gap_rows),
        ("hold-out", parts.hold_out.rows),
    ]
    known = [
        count(parts.anomalies, "known anomaly", "known anomalies"),
        count(parts.normal, "known to be none", "known to be none"),
        count(parts.unlabelled, "without a label", "without a label"),
    ]
    told = {
        "training": span(parts.training.first, parts.training.last),
        "gap": "neither trains nor judges, so that the hold-out is not next to what was learned",
        "hold-out": f"{span(parts.hold_out.first, parts.hold_out.last)}: {', '.join(known)}",
    }
    return joined(
        _bar(rows),
        tag(
            "ul",
            *(
                tag(
                    "li",
                    _patch(name),
                    tag("span", tag("strong", f"{name}, {count(size, 'row')}"), f" {told[name]}"),
                )
                for name, size in rows
                if size
            ),
            class_="legend",
        ),
    )


def _bar(rows: list[tuple[str, int]]) -> Markup:
    whole = sum(size for _, size in rows) or 1
    widths = [max(LEAST, 440.0 * size / whole) if size else 0.0 for _, size in rows]
    starts = [sum(widths[:index]) for index in range(len(widths))]
    drawn = [
        tag("rect", x=start, y=0, width=width, height=22, class_=f"part {name}")
        for (name, _), start, width in zip(rows, starts, widths, strict=True)
        if width
    ]
    described = ", ".join(f"{name} {count(size, 'row')}" for name, size in rows)
    return tag(
        "svg",
        tag("title", "Training, gap and hold-out, oldest to newest", id="split-title"),
        tag("desc", f"{described}.", id="split-desc"),
        *drawn,
        role="img",
        aria_labelledby="split-title split-desc",
        viewBox=f"0 0 {sum(widths):.1f} 22",
        preserveAspectRatio="none",
        class_="bar",
    )


def _patch(name: str) -> Markup:
    patch = tag("rect", x=8, y=1, width=12, height=12, class_=f"part {name}")
    return tag("svg", patch, class_="swatch", viewBox="0 0 28 14", aria_hidden="true")
