"""Both contenders over the stretches of the hold-out: average precision and alert rate. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from retraining_job.evaluation.evidence import Evidence, Period
from retraining_job.report.drawing import (
    LEFT,
    RIGHT,
    Scale,
    horizontal_axis,
    marker,
    path,
    picture,
    rounded_up,
    swatch,
    vertical_axis,
)
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.tables import table
from retraining_job.report.wording import count, instant, known, number, percent, plain, span

TOP, BOTTOM, HEIGHT = 30.0, 180.0, 206.0
MINUTE, HOUR, DAY = 60, 3600, 86400
STEPS = [
    *(1, 5, 15, 30),
    *(minutes * MINUTE for minutes in (1, 5, 15, 30)),
    *(hours * HOUR for hours in (1, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 5, 10, 30, 90, 365, 1825)),
]
ROLES = ("champion", "challenger")


class Course(NamedTuple):
    """A figure of both contenders over time."""

    key: str
    title: str
    values: dict[str, list[float | None]]
    write: Callable[[float], str]
    top: float


def course(evidence: Evidence) -> Markup:
    """Draw the figures over time; sentences where there are too few stretches for a line."""
    periods = evidence.periods
    if not periods:
        return tag("p", "The run has recorded no figures over time.", class_="absent")
    if len(periods) == 1:
        note = tag(
            "p",
            "The hold-out is one stretch only, so there is no course over time to draw.",
            class_="absent",
        )
        return joined(note, _table(periods))
    roles = ROLES if evidence.champion else ROLES[1:]
    rates = {role: [getattr(period, f"{role}_alert_rate") for period in periods] for role in roles}
    highest = max(
        (value for values in rates.values() for value in values if known(value) is not None),
        default=0.0,
    )
    precisions = {
        role: [getattr(period, f"{role}_average_precision") for period in periods] for role in roles
    }
    courses = [
        Course("precision", "Average precision", precisions, plain, 1.0),
        Course(
            "rate",
            f"Alert rate at the threshold {plain(evidence.threshold)}",
            rates,
            percent,
            min(1.0, rounded_up(highest or 0.01)),
        ),
    ]
    legend = tag(
        "ul", *(tag("li", swatch(role, lined=True), role) for role in roles), class_="legend"
    )
    return joined(
        tag("div", *(_panel(periods, one) for one in courses), class_="columns"),
        legend,
        tag("details", tag("summary", "The same in numbers"), _table(periods)),
    )


def _panel(periods: Sequence[Period], shown: Course) -> Markup:
    places = [_middle(period) for period in periods]
    time = Scale(_second(periods[0].first), _second(periods[-1].last), LEFT, RIGHT)
    height = Scale(0.0, shown.top, BOTTOM, TOP)
    known_values = {
        role: [
            (time(place), height(value)) if known(value) is not None and value is not None else None
            for place, value in zip(places, values, strict=True)
        ]
        for role, values in shown.values.items()
    }
    if not any(point for points in known_values.values() for point in points):
        return tag("p", f"{shown.title}: no stretch of the hold-out has a figure.", class_="absent")
    return picture(
        f"course-{shown.key}",
        f"{shown.title} over time",
        f"{count(len(periods), 'stretch', 'stretches')}, {span(periods[0].first, periods[-1].last)}.",
        HEIGHT,
        vertical_axis(height, shown.write, shown.title, about=4),
        horizontal_axis(time, BOTTOM, _dates(time)),
        *(
            path(run, f"{role} curve")
            for role, points in known_values.items()
            for run in _runs(points)
        ),
        *(
            marker(role, point)
            for role, points in known_values.items()
            for point in points
            if point
        ),
    )


def _second(moment: datetime) -> float:
    return instant(moment).timestamp()


def _middle(period: Period) -> float:
    return (_second(period.first) + _second(period.last)) / 2


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Part the points where one is unknown: a line must not bridge what is not known."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def _dates(time: Scale) -> list[tuple[float, str]]:
    """Give round moments for the axis, five at most, with as much of the date as tells them apart."""
    step = next((step for step in STEPS if (time.high - time.low) / step <= 5), STEPS[-1])
    first = -(-time.low // step) * step
    moments = [first + index * step for index in range(int((time.high - first) // step) + 1)] or [
        time.low
    ]
    return [(second, _moment(datetime.fromtimestamp(second, UTC), step)) for second in moments]


def _moment(moment: datetime, step: float) -> str:
    if step >= 90 * DAY:
        return f"{moment:%b %Y}"
    if step >= DAY or (step >= HOUR and moment.hour == 0):
        return f"{moment.day} {moment:%b}"
    return f"{moment:%H:%M}" if step >= MINUTE else f"{moment:%H:%M:%S}"


def _table(periods: Sequence[Period]) -> Markup:
    heads = [
        "Stretch",
        "Rows",
        "Anomalies",
        "AP, champion",
        "AP, challenger",
        "Alerts, champion",
        "Alerts, challenger",
    ]
    return table(
        "Figures over time",
        heads,
        [
            [
                span(one.first, one.last),
                count(one.rows),
                count(one.anomalies),
                number(one.champion_average_precision),
                number(one.challenger_average_precision),
                percent(one.champion_alert_rate),
                percent(one.challenger_alert_rate),
            ]
            for one in periods
        ],
    )
