"""Histograms of the combined scores of each model by class, with the thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from retraining_job.evaluation.evidence import Contender, Evidence, ScoreHistogram
from retraining_job.report.drawing import (
    LEFT,
    RIGHT,
    Point,
    Scale,
    compute_ticks,
    draw_horizontal_axis,
    draw_line,
    draw_path,
    draw_picture,
    draw_text,
)
from retraining_job.report.formats import (
    drop_non_finite,
    format_count,
    format_number,
    format_percent,
)
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.missing import describe_missing
from retraining_job.report.roles import (
    describe_thresholds,
    get_contenders,
    get_role,
    get_threshold,
)

TOP, BOTTOM, HEIGHT = 40.0, 160.0, 184.0
LABELLED_SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
LABEL_DISTANCE = 14
"""The least vertical distance of two labels, in units of the picture."""


def draw_score_histograms(evidence: Evidence) -> Markup:
    """Draw a histogram for each model with known scores. Returns a sentence if there is none."""
    drawn: list[tuple[Contender, ScoreHistogram]] = []
    for contender in get_contenders(evidence):
        histogram = contender.histogram
        if histogram and sum(histogram.anomalies) + sum(histogram.normal):
            drawn.append((contender, histogram))
    if not drawn:
        why = describe_missing(evidence, "the run has recorded none.")
        return tag("p", f"There are no scores to draw: {why}", class_="absent")
    scale = _compute_scale(evidence, [histogram for _, histogram in drawn])
    return join(
        tag(
            "div",
            *(
                _draw_histogram(evidence, contender, histogram, scale)
                for contender, histogram in drawn
            ),
            class_="columns",
        ),
        tag(
            "ul",
            tag("li", _draw_sample("share normal"), "known normal events"),
            tag("li", _draw_sample("share anomalies"), "known anomalies"),
            tag("li", _draw_sample("cut"), f"the threshold {describe_thresholds(evidence)}"),
            *_build_matching_legend(evidence),
            class_="legend",
        ),
        tag(
            "p",
            "The height is the share of each class, on a square-root scale, so that both classes "
            "are visible.",
            class_="caption",
        ),
    )


def _build_matching_legend(evidence: Evidence) -> list[Markup]:
    matching = drop_non_finite(evidence.challenger.matching_threshold)
    if matching is None:
        return []
    meaning = (
        f"{format_number(matching)}: the threshold at which the challenger raises as many alerts "
        "as the champion does at the live threshold"
    )
    return [tag("li", _draw_sample("matching"), meaning)]


def _compute_scale(evidence: Evidence, histograms: Sequence[ScoreHistogram]) -> Scale:
    """Compute a horizontal scale that includes all scores and thresholds."""
    thresholds = (
        evidence.threshold,
        evidence.challenger_threshold,
        evidence.challenger.matching_threshold,
    )
    values = [value for value in map(drop_non_finite, thresholds) if value is not None]
    for histogram in histograms:
        bins = zip(pairwise(histogram.edges), histogram.anomalies, histogram.normal, strict=True)
        for edges, anomalies, normal in bins:
            if anomalies or normal:
                values += edges
    room = (max(values) - min(values)) * 0.02
    return Scale(min(values) - room, max(values) + room, LEFT, RIGHT)


def _draw_histogram(
    evidence: Evidence, contender: Contender, histogram: ScoreHistogram, scale: Scale
) -> Markup:
    role = get_role(evidence, contender)
    anomalies, normal = _to_shares(histogram.anomalies), _to_shares(histogram.normal)
    top = max([*anomalies, *normal])
    height = Scale(0.0, math.sqrt(top), BOTTOM, TOP)
    counts = (
        f"{format_count(sum(histogram.anomalies), 'known anomaly', 'known anomalies')} and "
        f"{format_count(sum(histogram.normal), 'normal event')}"
    )
    ticks = [(value, format_number(value)) for value in compute_ticks(scale.low, scale.high)]
    return draw_picture(
        f"scores-{role}",
        f"Scores of the {role} by class",
        f"Scores of {counts}, from {format_number(scale.low)} to {format_number(scale.high)}.",
        HEIGHT,
        *(_draw_grid_line(share, height) for share in _select_labels(top, height)),
        draw_text((0, 16), f"{role.capitalize()}: {counts}", f"name {role}", anchor="start"),
        draw_path(_build_outline(histogram.edges, normal, scale, height), "share normal"),
        draw_path(
            _build_outline(histogram.edges, anomalies, scale, height), f"share anomalies {role}"
        ),
        _draw_threshold(scale, get_threshold(evidence, contender), "cut"),
        _draw_threshold(scale, contender.matching_threshold, "matching"),
        draw_horizontal_axis(scale, BOTTOM, ticks),
    )


def _draw_grid_line(share: float, height: Scale) -> Markup:
    y = height(math.sqrt(share))
    return join(
        draw_line((LEFT, y), (RIGHT, y), "grid"),
        draw_text((LEFT - 6, y + 4), format_percent(share), anchor="end"),
    )


def _draw_threshold(scale: Scale, threshold: float | None, class_: str) -> Markup:
    value = drop_non_finite(threshold)
    if value is None:
        return Markup("")
    return draw_line((scale(value), TOP - 12), (scale(value), BOTTOM), class_)


def _to_shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [value / total if total else 0.0 for value in counts]


def _select_labels(top: float, height: Scale) -> list[float]:
    """Select the shares to label: up to the greatest share, and without labels that overlap."""
    selected: list[float] = []
    for share in LABELLED_SHARES:
        if share > top * 1.001:
            break
        y = height(math.sqrt(share))
        if not selected or height(math.sqrt(selected[-1])) - y >= LABEL_DISTANCE:
            selected.append(share)
    return selected


def _build_outline(
    edges: Sequence[float], shares: Sequence[float], scale: Scale, height: Scale
) -> list[Point]:
    """Return the corners of a histogram's outline, from its first to its last non-empty bin."""
    full = [index for index, share in enumerate(shares) if share]
    if not full:
        return []
    corners = [(scale(edges[full[0]]), BOTTOM)]
    for index in range(full[0], full[-1] + 1):
        level = height(math.sqrt(shares[index]))
        corners += [(scale(edges[index]), level), (scale(edges[index + 1]), level)]
    return [*corners, (scale(edges[full[-1] + 1]), BOTTOM)]


def _draw_sample(class_: str) -> Markup:
    drawn = tag("rect", x=2, y=3, width=24, height=9, class_=class_)
    if class_ in {"cut", "matching"}:
        drawn = draw_line((14, 0), (14, 14), class_)
    return tag("svg", drawn, class_="swatch", viewBox="0 0 28 14", aria_hidden="true")
