"""Chart of precision over recall, with the points at the threshold and at the alert budget."""

from __future__ import annotations

from itertools import pairwise

from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.report.drawing import (
    LEFT,
    RIGHT,
    Point,
    Scale,
    draw_horizontal_axis,
    draw_line,
    draw_marker,
    draw_path,
    draw_picture,
    draw_swatch,
    draw_text,
    draw_vertical_axis,
)
from retraining_job.report.formats import (
    drop_non_finite,
    format_metric,
    format_number,
    format_percent,
)
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.missing import describe_missing
from retraining_job.report.roles import (
    describe_budget,
    get_contenders,
    get_role,
    get_threshold,
)

TOP, BOTTOM, HEIGHT = 30.0, 290.0, 330.0
RECALL = Scale(0.0, 1.0, LEFT, RIGHT)
PRECISION = Scale(0.0, 1.0, BOTTOM, TOP)
QUARTERS = [(value, format_number(value)) for value in (0.0, 0.25, 0.5, 0.75, 1.0)]

RecallPrecision = tuple[float, float]


def draw_precision_recall(evidence: Evidence) -> Markup:
    """Draw the curves of all models that have a curve. Returns a sentence if none has."""
    drawn = [contender for contender in get_contenders(evidence) if contender.curve is not None]
    if not drawn:
        why = describe_missing(evidence, "the run has recorded none.")
        return tag("p", f"There is no curve to draw: {why}", class_="absent")
    base_rate = compute_share_of_anomalies(evidence)
    content = [
        draw_vertical_axis(PRECISION, format_number, "Precision"),
        draw_horizontal_axis(RECALL, BOTTOM, QUARTERS, "Recall"),
        *([] if base_rate is None else [_draw_base_rate(base_rate)]),
        *(_draw_curve(evidence, contender) for contender in drawn),
        *(_draw_points(evidence, contender) for contender in drawn),
    ]
    description = "; ".join(_describe_average_precision(evidence, contender) for contender in drawn)
    legend: list[Markup] = []
    for contender in drawn:
        legend += _build_legend(evidence, contender)
    return join(
        draw_picture("curves", "Precision over recall", f"{description}.", HEIGHT, *content),
        tag("ul", *legend, class_="legend"),
    )


def compute_share_of_anomalies(evidence: Evidence) -> float | None:
    """Compute the share of anomalies among the labelled events: the precision of random alerts."""
    split = evidence.split
    if split is None or not split.anomalies + split.normal:
        return None
    return split.anomalies / (split.anomalies + split.normal)


def _draw_base_rate(share: float) -> Markup:
    y = PRECISION(share)
    label = f"random ranking, {format_percent(share)}"
    return join(
        draw_line((LEFT, y), (RIGHT, y), "base-rate"),
        draw_text((LEFT + 6, y - 6), label, "hint", anchor="start"),
    )


def _draw_curve(evidence: Evidence, contender: Contender) -> Markup:
    curve = contender.curve
    if curve is None:
        return Markup("")
    points = [_locate(point) for point in zip(curve.recall, curve.precision, strict=True)]
    return draw_path(_build_steps(points), f"{get_role(evidence, contender)} curve")


def _build_steps(points: list[Point]) -> list[Point]:
    """Return the corners of a step function: first down, then to the right.

    The area below these steps is the average precision.
    """
    corners = points[:1]
    for left, right in pairwise(points):
        corners += [(left[0], right[1]), right]
    return corners


def _draw_points(evidence: Evidence, contender: Contender) -> Markup:
    role = get_role(evidence, contender)
    budget, threshold = _get_budget_point(contender), _get_threshold_point(contender)
    return join(
        *([draw_marker(role, _locate(budget), "hollow")] if budget else []),
        *([draw_marker(role, _locate(threshold))] if threshold else []),
    )


def _locate(point: RecallPrecision) -> Point:
    return RECALL(point[0]), PRECISION(point[1])


def _get_budget_point(contender: Contender) -> RecallPrecision | None:
    return _build_point(contender.combined.budget_recall, contender.combined.budget_precision)


def _get_threshold_point(contender: Contender) -> RecallPrecision | None:
    return _build_point(contender.threshold_recall, contender.threshold_precision)


def _build_point(recall: float | None, precision: float | None) -> RecallPrecision | None:
    recall, precision = drop_non_finite(recall), drop_non_finite(precision)
    return None if recall is None or precision is None else (recall, precision)


def _describe_average_precision(evidence: Evidence, contender: Contender) -> str:
    role = get_role(evidence, contender).capitalize()
    if contender.metrics.combined is None:
        return f"{role}: average precision unknown"
    return f"{role}: average precision {format_metric(contender.combined.average_precision)}"


def _build_legend(evidence: Evidence, contender: Contender) -> list[Markup]:
    role = get_role(evidence, contender)
    threshold, budget = _get_threshold_point(contender), _get_budget_point(contender)
    at = f"at the threshold {format_number(get_threshold(evidence, contender))}"
    at_threshold = (
        f"{at}: {_describe_point(threshold)}" if threshold else f"no precision is known {at}"
    )
    curve = draw_swatch(role, "hidden", has_line=True)
    entries = [
        tag("li", curve, _describe_average_precision(evidence, contender)),
        tag("li", draw_swatch(role), at_threshold),
    ]
    if budget:
        at_budget = f"{describe_budget(evidence)}: {_describe_point(budget)}"
        entries.append(tag("li", draw_swatch(role, "hollow"), at_budget))
    return entries


def _describe_point(point: RecallPrecision) -> str:
    return f"precision {format_metric(point[1])}, recall {format_metric(point[0])}"
