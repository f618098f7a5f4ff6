"""Labels of a time axis: round times with as much of the date as is needed to distinguish them."""

from __future__ import annotations

from datetime import UTC, datetime

from retraining_job.report.drawing import Scale

MINUTE, HOUR, DAY = 60, 3600, 86400
STEPS_SECONDS = [
    *(1, 5, 15, 30),
    *(minutes * MINUTE for minutes in (1, 5, 15, 30)),
    *(hours * HOUR for hours in (1, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 5, 10, 30, 90, 365, 1825)),
]
INTERVALS = 5
"""The greatest number of steps on an axis."""


def build_time_labels(scale: Scale) -> list[tuple[float, str]]:
    """Build the labels of a time axis.

    Args:
        scale: A scale of seconds since 1970-01-01 UTC.

    Returns:
        Pairs of a time in these seconds and its label, ascending.
    """
    span = scale.high - scale.low
    step = next((step for step in STEPS_SECONDS if span / step <= INTERVALS), STEPS_SECONDS[-1])
    first = -(-scale.low // step) * step  # `low`, rounded up to a multiple of the step
    steps = int((scale.high - first) // step) + 1
    seconds = [first + index * step for index in range(steps)] or [scale.low]
    return [(second, _format(datetime.fromtimestamp(second, UTC), step)) for second in seconds]


def _format(moment: datetime, step: float) -> str:
    if step >= 90 * DAY:
        return f"{moment:%b %Y}"
    if step >= DAY or (step >= HOUR and moment.hour == 0):
        return f"{moment.day} {moment:%b}"
    return f"{moment:%H:%M}" if step >= MINUTE else f"{moment:%H:%M:%S}"
