"""Charts of average precision and alert rate of both models over the periods of the hold-out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from retraining_job.evaluation.evidence import Evidence, Period
from retraining_job.report.drawing import (
    LEFT,
    RIGHT,
    Point,
    Scale,
    draw_horizontal_axis,
    draw_marker,
    draw_path,
    draw_picture,
    draw_swatch,
    draw_vertical_axis,
    round_up,
)
from retraining_job.report.formats import (
    drop_non_finite,
    format_count,
    format_metric,
    format_number,
    format_percent,
    format_time_range,
    to_utc,
)
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.roles import describe_thresholds
from retraining_job.report.table import render_table
from retraining_job.report.time_axis import build_time_labels

TOP, BOTTOM, HEIGHT = 30.0, 180.0, 206.0
ROLES = ("champion", "challenger")
LEAST_TOP_OF_RATES = 0.01
"""The end of the axis of alert rates if no model has raised an alert."""


class Series(NamedTuple):
    """A metric of both models over time."""

    key: str
    title: str
    values: dict[str, list[float | None]]
    """By role, one for each period."""
    format_value: Callable[[float], str]
    top: float
    """The end of the vertical axis."""


def draw_periods(evidence: Evidence) -> Markup:
    """Draw the metrics over time. Returns sentences if there are too few periods for a line."""
    periods = evidence.periods
    if not periods:
        return tag("p", "The run has recorded no metrics over time.", class_="absent")
    if len(periods) == 1:
        note = "The hold-out has only one period, so there is no chart over time."
        return join(tag("p", note, class_="absent"), _render_periods(periods))
    roles = ROLES if evidence.champion else ROLES[1:]
    legend = [tag("li", draw_swatch(role, has_line=True), role) for role in roles]
    charts = [_draw_series(periods, series) for series in _build_series(evidence, roles)]
    return join(
        tag("div", *charts, class_="columns"),
        tag("ul", *legend, class_="legend"),
        tag("details", tag("summary", "The same in numbers"), _render_periods(periods)),
    )


def _build_series(evidence: Evidence, roles: Sequence[str]) -> list[Series]:
    periods = evidence.periods
    rates = {role: [getattr(period, f"{role}_alert_rate") for period in periods] for role in roles}
    precisions = {
        role: [getattr(period, f"{role}_average_precision") for period in periods] for role in roles
    }
    highest = 0.0
    for values in rates.values():
        highest = max([highest, *(value for value in map(drop_non_finite, values) if value)])
    title = f"Alert rate at the threshold {describe_thresholds(evidence)}"
    top = min(1.0, round_up(highest or LEAST_TOP_OF_RATES))
    return [
        Series("precision", "Average precision", precisions, format_number, 1.0),
        Series("rate", title, rates, format_percent, top),
    ]


def _draw_series(periods: Sequence[Period], series: Series) -> Markup:
    centres = [(_to_seconds(period.first) + _to_seconds(period.last)) / 2 for period in periods]
    time = Scale(_to_seconds(periods[0].first), _to_seconds(periods[-1].last), LEFT, RIGHT)
    height = Scale(0.0, series.top, BOTTOM, TOP)
    lines, markers = [], []
    for role, values in series.values.items():
        points: list[Point | None] = []
        for centre, value in zip(centres, map(drop_non_finite, values), strict=True):
            points.append(None if value is None else (time(centre), height(value)))
        lines += [draw_path(run, f"{role} curve") for run in _split_at_gaps(points)]
        markers += [draw_marker(role, point) for point in points if point]
    if not markers:
        return tag("p", f"{series.title}: not known for any period.", class_="absent")
    return draw_picture(
        f"periods-{series.key}",
        f"{series.title} over time",
        f"{format_count(len(periods), 'period')}, "
        f"{format_time_range(periods[0].first, periods[-1].last)}.",
        HEIGHT,
        draw_vertical_axis(height, series.format_value, series.title, about=4),
        draw_horizontal_axis(time, BOTTOM, build_time_labels(time)),
        *lines,
        *markers,
    )


def _to_seconds(moment: datetime) -> float:
    return to_utc(moment).timestamp()


def _split_at_gaps(points: Sequence[Point | None]) -> list[list[Point]]:
    """Split a line at each unknown point. Parts of a single point are left out."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def _render_periods(periods: Sequence[Period]) -> Markup:
    heads = [
        "Period",
        "Rows",
        "Anomalies",
        "Average precision, champion",
        "Average precision, challenger",
        "Alert rate, champion",
        "Alert rate, challenger",
    ]
    rows = [
        [
            format_time_range(period.first, period.last),
            format_count(period.rows),
            format_count(period.anomalies),
            format_metric(period.champion_average_precision),
            format_metric(period.challenger_average_precision),
            format_percent(period.champion_alert_rate),
            format_percent(period.challenger_alert_rate),
        ]
        for period in periods
    ]
    return render_table("Metrics over time", heads, rows)
