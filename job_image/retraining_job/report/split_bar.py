"""Chart of the split: training, gap and hold-out as a bar with dates and counts."""

from __future__ import annotations

from retraining_job.evaluation.evidence import Evidence, Split
from retraining_job.report.formats import format_count, format_time_range
from retraining_job.report.markup import Markup, join, tag

WIDTH = 440.0
LEAST_WIDTH = 6.0
"""A narrower part of the bar would not be visible."""


def draw_split(evidence: Evidence) -> Markup:
    """Draw training, gap and hold-out, from oldest to newest.

    Returns a sentence if there is no split.
    """
    split = evidence.split
    if split is None:
        return tag("p", "The events were not split: none were held out.", class_="absent")
    sizes = {
        "training": split.training.rows,
        "gap": split.gap_rows,
        "hold-out": split.hold_out.rows,
    }
    explanations = _explain_parts(split)
    entries = [
        tag(
            "li",
            _draw_sample(name),
            tag(
                "span",
                tag("strong", f"{name}, {format_count(size, 'row')}"),
                f" {explanations[name]}",
            ),
        )
        for name, size in sizes.items()
        if size
    ]
    return join(_draw_bar(sizes), tag("ul", *entries, class_="legend"))


def _explain_parts(split: Split) -> dict[str, str]:
    labels = [
        format_count(split.anomalies, "known anomaly", "known anomalies"),
        format_count(split.normal, "known normal event"),
        f"{format_count(split.unlabelled)} without a label",
    ]
    held_out = format_time_range(split.hold_out.first, split.hold_out.last)
    return {
        "training": format_time_range(split.training.first, split.training.last),
        "gap": "not used, so that the hold-out does not directly follow the training rows",
        "hold-out": f"{held_out}: {', '.join(labels)}",
    }


def _draw_bar(sizes: dict[str, int]) -> Markup:
    total = sum(sizes.values()) or 1
    bars, start = [], 0.0
    for name, size in sizes.items():
        width = max(LEAST_WIDTH, WIDTH * size / total) if size else 0.0
        if width:
            bars.append(tag("rect", x=start, y=0, width=width, height=22, class_=f"part {name}"))
        start += width
    counts = ", ".join(f"{name} {format_count(size, 'row')}" for name, size in sizes.items())
    return tag(
        "svg",
        tag("title", "Training, gap and hold-out, oldest to newest", id="split-title"),
        tag("desc", f"{counts}.", id="split-desc"),
        *bars,
        role="img",
        aria_labelledby="split-title split-desc",
        viewBox=f"0 0 {start:.1f} 22",
        preserveAspectRatio="none",
        class_="bar",
    )


def _draw_sample(name: str) -> Markup:
    square = tag("rect", x=8, y=1, width=12, height=12, class_=f"part {name}")
    return tag("svg", square, class_="swatch", viewBox="0 0 28 14", aria_hidden="true")
