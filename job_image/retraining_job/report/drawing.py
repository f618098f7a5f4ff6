"""SVG parts of the pictures: scales, ticks, axes, lines and markers.

Sizes are in the units of the picture. A picture is 440 units wide and fills its column, also on a
phone, so that its text is legible on both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from retraining_job.report.markup import Markup, join, tag

WIDTH = 440.0
LEFT, RIGHT = 46.0, 430.0
"""Where the plot starts and ends. The numbers of the vertical axis are left of it."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """A linear scale from data to the units of the picture.

    Args:
        low: The least value of the data.
        high: The greatest value of the data.
        start: The coordinate of `low`.
        end: The coordinate of `high`.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value. A value outside the data range is clipped."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def compute_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Compute round values for an axis. Their step is 1, 2 or 5 times a power of ten.

    Args:
        low: The least value.
        high: The greatest value.
        about: The approximate number of values.

    Returns:
        The values, ascending. `[low]` if the range is empty.
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def round_up(value: float) -> float:
    """Round a positive value up to a value that an axis may end at."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * factor
        for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
        if power * factor >= value * (1 - 1e-9)
    )


def draw_picture(key: str, title: str, description: str, height: float, *parts: Markup) -> Markup:
    """Draw a picture with a title and a description for screen readers.

    Args:
        key: A prefix of HTML ids that no other picture of the page has.
        title: The title.
        description: The content in words.
        height: In units of the picture.
        *parts: The content.

    Returns:
        The `svg` element.
    """
    return tag(
        "svg",
        tag("title", title, id=f"{key}-title"),
        tag("desc", description, id=f"{key}-desc"),
        *parts,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
    )


def draw_line(start: Point, end: Point, class_: str) -> Markup:
    """Draw a straight line.

    Args:
        start: One end.
        end: The other end.
        class_: Its class in the style sheet.

    Returns:
        The `line` element.
    """
    return tag("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def draw_path(points: Iterable[Point], class_: str) -> Markup:
    """Draw a line through points.

    Args:
        points: The points, in order.
        class_: Its class in the style sheet.

    Returns:
        The `polyline` element.
    """
    return tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def draw_text(place: Point, content: str, class_: str = "", anchor: str = "middle") -> Markup:
    """Draw a short text.

    Args:
        place: The point at which the text is anchored.
        content: The text.
        class_: Its class in the style sheet.
        anchor: Which part of the text is at the point: `start`, `middle` or `end`.

    Returns:
        The `text` element.
    """
    return tag("text", content, x=place[0], y=place[1], text_anchor=anchor, class_=class_)


def draw_marker(role: str, place: Point, class_: str = "") -> Markup:
    """Draw a square for the champion and a circle for the challenger, which differ without colour.

    Args:
        role: `champion` or `challenger`.
        place: The centre.
        class_: A further class in the style sheet.

    Returns:
        The element.
    """
    x, y = place
    classes = f"marker {role} {class_}".strip()
    if role == "champion":
        return tag("rect", x=x - 4, y=y - 4, width=8, height=8, class_=classes)
    return tag("circle", cx=x, cy=y, r=4.5, class_=classes)


def draw_swatch(role: str, class_: str = "", *, has_line: bool = False) -> Markup:
    """Draw the symbol of a model in a legend: its marker, and its line if it has one.

    Args:
        role: `champion` or `challenger`.
        class_: A further class of the marker in the style sheet.
        has_line: Whether the line is drawn.

    Returns:
        The `svg` element.
    """
    stroke = [draw_line((1, 7), (27, 7), f"{role} curve")] if has_line else []
    return tag(
        "svg",
        *stroke,
        draw_marker(role, (14, 7), class_),
        class_="swatch",
        viewBox="0 0 28 14",
        aria_hidden="true",
    )


def draw_horizontal_axis(
    scale: Scale, bottom: float, labels: Sequence[tuple[float, str]], name: str = ""
) -> Markup:
    """Draw an axis below the plot.

    Args:
        scale: The horizontal scale.
        bottom: The vertical coordinate of the axis.
        labels: The values that are labelled, with their labels.
        name: The name of the axis, below the labels. May be empty.

    Returns:
        The elements.
    """
    middle = (scale.start + scale.end) / 2
    ticks = [(scale(value), label) for value, label in labels]
    return join(
        draw_line((scale.start, bottom), (scale.end, bottom), "axis"),
        *(draw_line((x, bottom), (x, bottom + 4), "axis") for x, _ in ticks),
        *(draw_text((x, bottom + 17), label) for x, label in ticks),
        draw_text((middle, bottom + 34), name, "name") if name else Markup(""),
    )


def draw_vertical_axis(
    scale: Scale, format_value: Callable[[float], str], name: str, about: int = 5
) -> Markup:
    """Draw grid lines across the plot, with their values on the left.

    Args:
        scale: The vertical scale.
        format_value: Formats a value.
        name: The name of the axis, above the plot.
        about: The approximate number of lines.

    Returns:
        The elements.
    """
    values = compute_ticks(scale.low, scale.high, about)
    return join(
        *(draw_line((LEFT, scale(value)), (RIGHT, scale(value)), "grid") for value in values),
        *(
            draw_text((LEFT - 6, scale(value) + 4), format_value(value), anchor="end")
            for value in values
        ),
        draw_text((0, scale.end - 12), name, "name", anchor="start"),
    )
