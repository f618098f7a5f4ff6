"""Scales, ticks, axes and markers: what pictures are drawn from. Sizes are in the picture's own units. Pure.

A picture is 440 units wide and fills its column, a phone's as well, so that its letters stay
legible on both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from retraining_job.report.markup import Markup, joined, tag

WIDTH = 440.0
LEFT, RIGHT = 46.0, 430.0
"""Where the plot begins and ends; the numbers of the vertical axis stand left of it."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """A linear way from data to the picture's units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Give the place of a value, kept inside the plot."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Give round values between two, a step of 1, 2 or 5 times a power of ten apart, about so many."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def rounded_up(value: float) -> float:
    """Give a round value that is not below a positive one: an axis may end there."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * factor
        for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
        if power * factor >= value * (1 - 1e-9)
    )


def picture(key: str, title: str, description: str, height: float, *parts: Markup) -> Markup:
    """Frame a picture, with a title and a description for those who do not see it; the key is its own on the page."""
    return tag(
        "svg",
        tag("title", title, id=f"{key}-title"),
        tag("desc", description, id=f"{key}-desc"),
        *parts,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
    )


def line(one: Point, other: Point, class_: str) -> Markup:
    """Draw a straight line."""
    return tag("line", x1=one[0], y1=one[1], x2=other[0], y2=other[1], class_=class_)


def path(points: Iterable[Point], class_: str) -> Markup:
    """Draw a line through points."""
    return tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def words(place: Point, content: str, class_: str = "", anchor: str = "middle") -> Markup:
    """Write a short text at a place: `start`, `middle` or `end` says which part of it stands there."""
    return tag("text", content, x=place[0], y=place[1], text_anchor=anchor, class_=class_)


def marker(role: str, place: Point, class_: str = "") -> Markup:
    """Mark a point: a square for the champion, a circle for the challenger, so that no one needs the colours."""
    x, y = place
    classes = f"marker {role} {class_}".strip()
    if role == "champion":
        return tag("rect", x=x - 4, y=y - 4, width=8, height=8, class_=classes)
    return tag("circle", cx=x, cy=y, r=4.5, class_=classes)


def swatch(role: str, class_: str = "", *, lined: bool = False) -> Markup:
    """Draw what stands for a contender in a legend: its marker, on a piece of its line where it has one."""
    stroke = [line((1, 7), (27, 7), f"{role} curve")] if lined else []
    return tag(
        "svg",
        *stroke,
        marker(role, (14, 7), class_),
        class_="swatch",
        viewBox="0 0 28 14",
        aria_hidden="true",
    )


def horizontal_axis(
    scale: Scale, bottom: float, labels: Sequence[tuple[float, str]], name: str = ""
) -> Markup:
    """Draw an axis under the plot, with a label at each of the given values and its name below."""
    middle = (scale.start + scale.end) / 2
    return joined(
        line((scale.start, bottom), (scale.end, bottom), "axis"),
        *(line((scale(value), bottom), (scale(value), bottom + 4), "axis") for value, _ in labels),
        *(words((scale(value), bottom + 17), label) for value, label in labels),
        words((middle, bottom + 34), name, "name") if name else Markup(""),
    )


def vertical_axis(scale: Scale, write: Callable[[float], str], name: str, about: int = 5) -> Markup:
    """Draw lines across the plot, with their values on the left and the axis' name above."""
    values = ticks(scale.low, scale.high, about)
    return joined(
        *(line((LEFT, scale(value)), (RIGHT, scale(value)), "grid") for value in values),
        *(words((LEFT - 6, scale(value) + 4), write(value), anchor="end") for value in values),
        words((0, scale.end - 12), name, "name", anchor="start"),
    )
