"""How the scores of each contender are spread, by class, and where the thresholds cut them.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from retraining_job.evaluation.evidence import Contender, Evidence, ScoreHistogram
from retraining_job.report.curves import absence
from retraining_job.report.drawing import (
    LEFT,
    RIGHT,
    Scale,
    horizontal_axis,
    line,
    path,
    picture,
    ticks,
    words,
)
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.wording import count, known, percent, plain, role_of

TOP, BOTTOM, HEIGHT = 40.0, 160.0, 200.0
SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


def spread(evidence: Evidence) -> Markup:
    """Draw one panel for each contender whose scores are known; a sentence where there are none."""
    both = [one for one in (evidence.champion, evidence.challenger) if one is not None]
    drawn = [
        (one, one.histogram) for one in both if one.histogram is not None and _events(one.histogram)
    ]
    if not drawn:
        return tag("p", f"There are no scores to draw: {absence(evidence)}", class_="absent")
    scale = _common(evidence, [histogram for _, histogram in drawn])
    return joined(
        tag(
            "div",
            *(_panel(evidence, one, histogram, scale) for one, histogram in drawn),
            class_="columns",
        ),
        tag(
            "ul",
            tag("li", _sample("share normal"), "events that are no anomalies"),
            tag("li", _sample("share anomalies"), "known anomalies"),
            tag("li", _sample("cut"), f"the live threshold, {plain(evidence.threshold)}"),
            *_matching(evidence),
            class_="legend",
        ),
        tag(
            "p",
            "Height is the share of its own class, on a root scale: few anomalies show as many others do.",
            class_="caption",
        ),
    )


def _events(histogram: ScoreHistogram) -> int:
    return sum(histogram.anomalies) + sum(histogram.normal)


def _matching(evidence: Evidence) -> list[Markup]:
    matching = known(evidence.challenger.matching_threshold)
    if matching is None:
        return []
    words_ = f"{plain(matching)}, where the challenger raises as many alerts as the champion at the live one"
    return [tag("li", _sample("matching"), words_)]


def _common(evidence: Evidence, histograms: Sequence[ScoreHistogram]) -> Scale:
    """Give all panels one axis: where any score is, and the thresholds."""
    shown = [known(evidence.threshold), known(evidence.challenger.matching_threshold)]
    places = [value for value in shown if value is not None]
    for histogram in histograms:
        steps = zip(pairwise(histogram.edges), histogram.anomalies, histogram.normal, strict=True)
        places += [
            edge for edges, anomalies, normal in steps if anomalies or normal for edge in edges
        ]
    room = (max(places) - min(places)) * 0.02
    return Scale(min(places) - room, max(places) + room, LEFT, RIGHT)


def _panel(evidence: Evidence, one: Contender, histogram: ScoreHistogram, scale: Scale) -> Markup:
    role = role_of(evidence, one)
    top = max([*_shares(histogram.anomalies), *_shares(histogram.normal)])
    height = Scale(0.0, math.sqrt(top), BOTTOM, TOP)
    shares = [share for share in SHARES if share <= top * 1.001]
    anomalies, normal = sum(histogram.anomalies), sum(histogram.normal)
    held = (
        f"{count(anomalies, 'known anomaly', 'known anomalies')} and {count(normal, 'other event')}"
    )
    cuts = [(evidence.threshold, "cut"), (one.matching_threshold, "matching")]
    return picture(
        f"spread-{role}",
        f"Scores of the {role} by class",
        f"Scores of {held}, from {plain(scale.low)} to {plain(scale.high)}.",
        HEIGHT - 16,
        *(
            joined(
                line((LEFT, height(math.sqrt(share))), (RIGHT, height(math.sqrt(share))), "grid"),
                words((LEFT - 6, height(math.sqrt(share)) + 4), percent(share), anchor="end"),
            )
            for share in _apart(shares, height)
        ),
        words((0, 16), f"{role.capitalize()}: {held}", f"name {role}", anchor="start"),
        path(_outline(histogram.edges, _shares(histogram.normal), scale, height), "share normal"),
        path(
            _outline(histogram.edges, _shares(histogram.anomalies), scale, height),
            f"share anomalies {role}",
        ),
        *(
            line((scale(value), TOP - 12), (scale(value), BOTTOM), kind)
            for value, kind in cuts
            if known(value) is not None and value is not None
        ),
        horizontal_axis(
            scale, BOTTOM, [(value, plain(value)) for value in ticks(scale.low, scale.high)]
        ),
    )


def _shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts)
    return [value / whole if whole else 0.0 for value in counts]


def _apart(shares: Sequence[float], height: Scale) -> list[float]:
    """Leave out labels that would touch the one below."""
    kept: list[float] = []
    for share in shares:
        if not kept or height(math.sqrt(kept[-1])) - height(math.sqrt(share)) >= 14:
            kept.append(share)
    return kept


def _outline(
    edges: Sequence[float], shares: Sequence[float], scale: Scale, height: Scale
) -> list[tuple[float, float]]:
    """Give the corners of a histogram's outline, from where its first event is to its last."""
    full = [index for index, share in enumerate(shares) if share]
    if not full:
        return []
    corners = [(scale(edges[full[0]]), BOTTOM)]
    for index in range(full[0], full[-1] + 1):
        level = height(math.sqrt(shares[index]))
        corners += [(scale(edges[index]), level), (scale(edges[index + 1]), level)]
    return [*corners, (scale(edges[full[-1] + 1]), BOTTOM)]


def _sample(class_: str) -> Markup:
    upright = class_ in {"cut", "matching"}
    drawn = (
        line((14, 0), (14, 14), class_)
        if upright
        else tag("rect", x=2, y=3, width=24, height=9, class_=class_)
    )
    return tag("svg", drawn, class_="swatch", viewBox="0 0 28 14", aria_hidden="true")
