"""Precision over recall of both contenders, with what the threshold and the alert budget make of them. Pure."""

from __future__ import annotations

from itertools import pairwise

from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.report.drawing import (
    LEFT,
    RIGHT,
    Point,
    Scale,
    horizontal_axis,
    line,
    marker,
    path,
    picture,
    swatch,
    vertical_axis,
    words,
)
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.wording import at_budget, known, number, percent, plain, role_of

TOP, BOTTOM, HEIGHT = 30.0, 290.0, 330.0
RECALL = Scale(0.0, 1.0, LEFT, RIGHT)
PRECISION = Scale(0.0, 1.0, BOTTOM, TOP)
QUARTERS = [(value, plain(value)) for value in (0.0, 0.25, 0.5, 0.75, 1.0)]


def curves(evidence: Evidence) -> Markup:
    """Draw the curves of all contenders that have one; a sentence where none has."""
    drawn = [
        one
        for one in (evidence.champion, evidence.challenger)
        if one is not None and one.curve is not None
    ]
    if not drawn:
        return tag("p", f"There is no curve to draw: {absence(evidence)}", class_="absent")
    chance = share_of_anomalies(evidence)
    content = [
        vertical_axis(PRECISION, plain, "Precision"),
        horizontal_axis(RECALL, BOTTOM, QUARTERS, "Recall"),
        *([] if chance is None else [_chance(chance)]),
        *(_line(evidence, one) for one in drawn),
        *(_points(evidence, one) for one in drawn),
    ]
    described = "; ".join(_described(evidence, one) for one in drawn)
    return joined(
        picture("curves", "Precision over recall", f"{described}.", HEIGHT, *content),
        tag("ul", *(entry for one in drawn for entry in _legend(evidence, one)), class_="legend"),
    )


def absence(evidence: Evidence) -> str:
    """Say why nothing could be judged by known anomalies."""
    split = evidence.split
    if split is None:
        return "no events were held out to judge on."
    if not split.anomalies and not split.normal:
        return "no event of the hold-out has a label."
    if not split.anomalies:
        return "no event of the hold-out is a known anomaly."
    if not split.normal:
        return "every labelled event of the hold-out is an anomaly."
    return "the run has recorded none."


def share_of_anomalies(evidence: Evidence) -> float | None:
    """Give the share of anomalies among the labelled events: the precision of alerts raised at random."""
    split = evidence.split
    if split is None or not split.anomalies + split.normal:
        return None
    return split.anomalies / (split.anomalies + split.normal)


def _chance(share: float) -> Markup:
    label = f"chance, {percent(share)}"
    return joined(
        line((LEFT, PRECISION(share)), (RIGHT, PRECISION(share)), "chance"),
        words((LEFT + 6, PRECISION(share) - 6), label, "hint", anchor="start"),
    )


def _line(evidence: Evidence, one: Contender) -> Markup:
    curve = one.curve
    if curve is None:
        return Markup("")
    places = [_place(point) for point in zip(curve.recall, curve.precision, strict=True)]
    return path(_steps(places), f"{role_of(evidence, one)} curve")


def _steps(places: list[Point]) -> list[Point]:
    """Go down before going on: recall waits for the next anomaly, and the area under steps is the average precision."""
    corners = [corner for one, other in pairwise(places) for corner in ((one[0], other[1]), other)]
    return [*places[:1], *corners]


def _points(evidence: Evidence, one: Contender) -> Markup:
    role = role_of(evidence, one)
    budget, threshold = _at_budget(one), _at_threshold(one)
    return joined(
        *([marker(role, _place(budget), "hollow")] if budget else []),
        *([marker(role, _place(threshold))] if threshold else []),
    )


def _place(point: tuple[float, float]) -> Point:
    return RECALL(point[0]), PRECISION(point[1])


def _at_budget(one: Contender) -> tuple[float, float] | None:
    mixture = one.figures.mixture
    return _both(mixture.budget_recall, mixture.budget_precision) if mixture else None


def _at_threshold(one: Contender) -> tuple[float, float] | None:
    return _both(one.threshold_recall, one.threshold_precision)


def _both(recall: float | None, precision: float | None) -> tuple[float, float] | None:
    recall, precision = known(recall), known(precision)
    return None if recall is None or precision is None else (recall, precision)


def _described(evidence: Evidence, one: Contender) -> str:
    mixture = one.figures.mixture
    reached = (
        f"average precision {number(mixture.average_precision)}"
        if mixture
        else "its average precision is unknown"
    )
    return f"{role_of(evidence, one).capitalize()}: {reached}"


def _legend(evidence: Evidence, one: Contender) -> list[Markup]:
    role = role_of(evidence, one)
    threshold, budget = _at_threshold(one), _at_budget(one)
    at = f"at the threshold {plain(evidence.threshold)}"
    raised = f"no point {at}: it raises no alert there, or none is recorded"
    entries = [
        tag("li", swatch(role, "hidden", lined=True), _described(evidence, one)),
        tag("li", swatch(role), f"{at}: {_reached(threshold)}" if threshold else raised),
    ]
    return [
        *entries,
        *(
            [tag("li", swatch(role, "hollow"), f"{at_budget(evidence)}: {_reached(budget)}")]
            if budget
            else []
        ),
    ]


def _reached(point: tuple[float, float]) -> str:
    return f"precision {number(point[1])}, recall {number(point[0])}"
