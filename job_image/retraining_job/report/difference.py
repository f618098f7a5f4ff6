"""Chart of the difference of average precision with its bounds, and the limit of the policy."""

from __future__ import annotations

from retraining_job.contract import PromotionPolicy
from retraining_job.evaluation.evidence import Comparison, Evidence
from retraining_job.report.drawing import (
    Scale,
    compute_ticks,
    draw_horizontal_axis,
    draw_line,
    draw_picture,
    draw_text,
)
from retraining_job.report.formats import (
    format_count,
    format_difference,
    format_number,
    format_percent,
)
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.missing import describe_missing
from retraining_job.report.roles import describe_missing_champion

TOP, MIDDLE, BOTTOM, HEIGHT = 46.0, 72.0, 100.0, 138.0
START, END = 4.0, 436.0
ROOM_LEFT, ROOM_RIGHT = 0.3, 0.1
"""Empty space, as shares of the drawn range. The label of the margin is left of its line."""
LEAST_RANGE = 0.01
LABELS_RIGHT_UNTIL = 340
"""A line left of this coordinate has its label on the right."""


def draw_difference(evidence: Evidence) -> Markup:
    """Draw the difference, its bounds and the margin.

    Returns a sentence if nothing was compared.
    """
    comparison = evidence.comparison
    if comparison is None:
        why = _describe_missing_comparison(evidence)
        return tag("p", f"The models were not compared: {why}", class_="absent")
    values = [comparison.lower, comparison.difference, comparison.upper, -evidence.margin, 0.0]
    span = max(max(values) - min(values), LEAST_RANGE)
    scale = Scale(min(values) - ROOM_LEFT * span, max(values) + ROOM_RIGHT * span, START, END)
    limit = _get_limit(evidence)
    ticks = [(value, _format_tick(value)) for value in compute_ticks(scale.low, scale.high)]
    sentence = _describe_comparison(comparison)
    return join(
        draw_picture(
            "difference",
            "Difference of average precision",
            sentence,
            HEIGHT,
            *([] if limit is None else [_draw_accepted_range(scale, limit)]),
            _draw_zero(scale),
            *([_draw_margin(scale, evidence.margin)] if evidence.margin else []),
            _draw_interval(scale, comparison),
            draw_horizontal_axis(scale, BOTTOM, ticks, "← worse · better →"),
        ),
        tag("p", sentence, " ", _describe_policy(evidence), class_="caption"),
    )


def _format_tick(value: float) -> str:
    return "0" if value == 0 else ("+" if value > 0 else "") + format_number(value)


def _draw_interval(scale: Scale, comparison: Comparison) -> Markup:
    low, high = scale(comparison.lower), scale(comparison.upper)
    class_ = "challenger whisker"
    return join(
        draw_line((low, MIDDLE), (high, MIDDLE), class_),
        *(draw_line((x, MIDDLE - 7), (x, MIDDLE + 7), class_) for x in (low, high)),
        tag("circle", cx=scale(comparison.difference), cy=MIDDLE, r=6, class_="marker challenger"),
    )


def _draw_zero(scale: Scale) -> Markup:
    """Draw the line at which both models are equal. Its label is on the side that has room."""
    x = scale(0.0)
    if x < LABELS_RIGHT_UNTIL:
        name = draw_text((x + 5, 14), "equal (0)", "hint", anchor="start")
    else:
        name = draw_text((x - 5, 14), "equal (0)", "hint", anchor="end")
    return join(draw_line((x, 4), (x, BOTTOM), "even"), name)


def _draw_margin(scale: Scale, margin: float) -> Markup:
    x = scale(-margin)
    name = draw_text((x - 5, 32), f"margin ({_format_tick(-margin)})", "hint", anchor="end")
    return join(draw_line((x, 22), (x, BOTTOM), "margin"), name)


def _get_limit(evidence: Evidence) -> float | None:
    """Return the value that the lower bound must exceed, or None if the policy has no limit."""
    limits = {PromotionPolicy.NON_INFERIOR: -evidence.margin, PromotionPolicy.SUPERIOR: 0.0}
    return limits.get(evidence.policy)


def _draw_accepted_range(scale: Scale, limit: float) -> Markup:
    x = scale(limit)
    return tag("rect", x=x, y=TOP, width=END - x, height=BOTTOM - TOP, class_="cleared")


def _describe_comparison(comparison: Comparison) -> str:
    resamples = format_count(comparison.draws, "bootstrap resample")
    return (
        "The difference of average precision, challenger minus champion, is "
        f"{format_difference(comparison.difference)}. The true difference is above "
        f"{format_difference(comparison.lower)}, and below {format_difference(comparison.upper)}, "
        f"each with {format_percent(comparison.confidence)} confidence ({resamples}, seed "
        f"{comparison.seed})."
    )


def _describe_policy(evidence: Evidence) -> str:
    if evidence.policy is PromotionPolicy.NON_INFERIOR:
        limit = format_difference(-evidence.margin)
        return f"Policy NonInferior: the whole interval must be above {limit} (shaded)."
    if evidence.policy is PromotionPolicy.SUPERIOR:
        return "Policy Superior: the whole interval must be above 0 (shaded)."
    return "Policy Reference: accuracy decides, not this difference."


def _describe_missing_comparison(evidence: Evidence) -> str:
    if evidence.champion is None:
        return f"{describe_missing_champion(evidence)}."
    return describe_missing(evidence, "the run has recorded no comparison.")
