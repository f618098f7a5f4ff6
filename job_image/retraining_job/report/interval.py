"""The difference of average precision with its bounds, against the line that it has to clear.

Pure.
"""

from __future__ import annotations

from retraining_job.contract import PromotionPolicy
from retraining_job.evaluation.evidence import Comparison, Evidence
from retraining_job.report.curves import absence
from retraining_job.report.drawing import Scale, horizontal_axis, line, picture, ticks, words
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.wording import count, missing_champion, percent, plain, signed

TOP, MIDDLE, BOTTOM, HEIGHT = 46.0, 72.0, 100.0, 138.0
START, END = 4.0, 436.0
ROOM_LEFT, ROOM_RIGHT = 0.3, 0.1
"""Shares of the drawn values' span: the margin's name stands left of its line and needs the more."""


def interval(evidence: Evidence) -> Markup:
    """Draw the difference, its one-sided bounds, and the margin; a sentence where nothing was compared."""
    comparison = evidence.comparison
    if comparison is None:
        return tag("p", f"Nothing was compared: {_why(evidence)}", class_="absent")
    values = [comparison.lower, comparison.difference, comparison.upper, -evidence.margin, 0.0]
    span = max(max(values) - min(values), 0.01)
    scale = Scale(min(values) - ROOM_LEFT * span, max(values) + ROOM_RIGHT * span, START, END)
    asked = _asked(evidence)
    return joined(
        picture(
            "interval",
            "Difference of average precision",
            _sentence(comparison),
            HEIGHT,
            *([] if asked is None else [_cleared(scale, asked)]),
            _even(scale),
            *([_margin(scale, evidence.margin)] if evidence.margin else []),
            line(
                (scale(comparison.lower), MIDDLE),
                (scale(comparison.upper), MIDDLE),
                "challenger whisker",
            ),
            *(
                line((scale(end), MIDDLE - 7), (scale(end), MIDDLE + 7), "challenger whisker")
                for end in _ends(comparison)
            ),
            tag(
                "circle",
                cx=scale(comparison.difference),
                cy=MIDDLE,
                r=6,
                class_="marker challenger",
            ),
            horizontal_axis(
                scale,
                BOTTOM,
                [(value, _tick(value)) for value in ticks(scale.low, scale.high)],
                "← worse · better →",
            ),
        ),
        tag("p", _sentence(comparison), " ", _rule(evidence), class_="caption"),
    )


def _ends(comparison: Comparison) -> tuple[float, float]:
    return comparison.lower, comparison.upper


def _tick(value: float) -> str:
    return "0" if value == 0 else ("+" if value > 0 else "") + plain(value)


def _even(scale: Scale) -> Markup:
    """Draw the line at which both are as good, with its name on the side where there is room."""
    x = scale(0.0)
    right = x < 340
    name = words(
        (x + 5 if right else x - 5, 14), "as good (0)", "hint", anchor="start" if right else "end"
    )
    return joined(line((x, 4), (x, BOTTOM), "even"), name)


def _margin(scale: Scale, margin: float) -> Markup:
    x = scale(-margin)
    name = words((x - 5, 32), f"margin ({_tick(-margin)})", "hint", anchor="end")
    return joined(line((x, 22), (x, BOTTOM), "margin"), name)


def _asked(evidence: Evidence) -> float | None:
    """Give what the lower bound must be above, where the policy asks for it."""
    return {PromotionPolicy.NON_INFERIOR: -evidence.margin, PromotionPolicy.SUPERIOR: 0.0}.get(
        evidence.policy
    )


def _cleared(scale: Scale, asked: float) -> Markup:
    return tag(
        "rect",
        x=scale(asked),
        y=TOP,
        width=END - scale(asked),
        height=BOTTOM - TOP,
        class_="cleared",
    )


def _sentence(comparison: Comparison) -> str:
    return (
        f"The challenger's average precision less the champion's is {signed(comparison.difference)}; the true "
        f"difference is above {signed(comparison.lower)}, and below {signed(comparison.upper)}, each with "
        f"{percent(comparison.confidence)} confidence ({count(comparison.draws, 'draw')}, seed {comparison.seed})."
    )


def _rule(evidence: Evidence) -> str:
    if evidence.policy is PromotionPolicy.NON_INFERIOR:
        return f"Policy NonInferior: the whole interval has to be above {signed(-evidence.margin)} (shaded)."
    if evidence.policy is PromotionPolicy.SUPERIOR:
        return "Policy Superior: the whole interval has to be above 0 (shaded)."
    return "Policy Reference: the share of right predictions decides, not this difference."


def _why(evidence: Evidence) -> str:
    if evidence.champion is None:
        return f"{missing_champion(evidence)}."
    why = absence(evidence)
    return "the run has recorded no comparison." if "recorded" in why else why
