"""The shape of the input: which features the events have, and the share of usable values of each.

The manifest of each live model records it, and later runs compare their events with it. This module
imports no numpy, so that reading a manifest stays cheap.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field

FEATURES_LIMIT = 1_000
"""Features that a shape records. Events with more are refused when they are read into columns."""

NAME_LIMIT_CHARACTERS = 200
"""A feature with a longer name is not recorded, so that the manifest stays small."""

DECIMALS = 4

OLDER_PERIODS = 9
"""Periods that the older events are divided into."""

Share = float
"""From 0 to 1."""


class FeatureShape(BaseModel):
    """How often events have a usable number for one feature.

    Shares are of all events, not of the events that have the feature.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    usable: Share = Field(ge=0.0, le=1.0)
    """Of all events that were read."""
    newest: Share = Field(ge=0.0, le=1.0)
    """Of the newest events, which are the hold-out."""
    lowest: Share = Field(ge=0.0, le=1.0)
    """Of the events in the period in which the share was lowest."""
    varies: bool = True
    """Whether the newest events have more than one value."""


class InputShape(BaseModel):
    """The shape of the events of one run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    events: int = Field(ge=0)
    newest: int = Field(default=0, ge=0)
    """The number of the newest events, which are the hold-out."""
    own: Share = Field(default=1.0, ge=0.0, le=1.0)
    """The share of events whose `features_json` held a JSON object."""
    unreadable: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of events whose `features_json` has a value, but not a JSON object."""
    decoded: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of events whose `features_json` was a JSON string that contains a JSON object."""
    texts: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of usable values that were numbers written as text."""
    labelled: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of events whose label is known."""
    features: dict[str, FeatureShape] = Field(default={}, max_length=FEATURES_LIMIT)


class LastingLoss(BaseModel):
    """A lasting loss of a share: each later period has a lower share than each earlier one."""

    model_config = ConfigDict(frozen=True)

    before: Share
    """The lowest share of the earlier periods."""
    after: Share
    """The highest share of the later periods."""
    events: int
    """The number of events in the later periods."""


class InputMeasurement(BaseModel):
    """The shape of a run's events, and the lasting losses within them."""

    model_config = ConfigDict(frozen=True)

    shape: InputShape
    lasting_losses: dict[str, LastingLoss] = {}
    """By feature."""


def find_lasting_loss(usable: list[int], rows: list[int]) -> LastingLoss | None:
    """Find the greatest lasting loss of a share.

    Args:
        usable: For each period, oldest first, the events with a usable number for the feature.
        rows: For each period, the number of events. At least 1.

    Returns:
        The loss, or None if there is none.
    """
    shares = [count / size for count, size in zip(usable, rows, strict=True)]
    greatest: LastingLoss | None = None
    for start in range(1, len(shares)):
        before, after = min(shares[:start]), max(shares[start:])
        if before <= after:
            continue
        if greatest is None or before - after > greatest.before - greatest.after:
            greatest = LastingLoss(
                before=round(before, DECIMALS),
                after=round(after, DECIMALS),
                events=sum(rows[start:]),
            )
    return greatest


def compute_feature_shape(usable: list[int], rows: list[int], *, varies: bool) -> FeatureShape:
    """Compute the shape of one feature from the counts of each period.

    Args:
        usable: For each period, oldest first, the events with a usable number for the feature. The
            last period is the newest events.
        rows: For each period, the number of events. At least 1.
        varies: Whether the newest events have more than one value.

    Returns:
        The shape.
    """
    shares = [count / size for count, size in zip(usable, rows, strict=True)]
    return FeatureShape(
        usable=round(sum(usable) / sum(rows), DECIMALS),
        newest=round(shares[-1], DECIMALS),
        lowest=round(min(shares), DECIMALS),
        varies=varies,
    )


def split_into_periods(rows: int, newest_start: int, count: int = OLDER_PERIODS) -> list[slice]:
    """Split events into periods over which shares are compared.

    Args:
        rows: The number of events, oldest first. At least 1.
        newest_start: The first of the newest events.
        count: The greatest number of periods of the older events.

    Returns:
        The periods of the older events, with equal numbers of rows, followed by one period with all
        of the newest events.
    """
    parts = min(count, newest_start)
    ends = [round(newest_start * part / parts) for part in range(parts + 1)] if parts else []
    older = [slice(start, end) for start, end in pairwise(ends)]
    return [*older, slice(newest_start, rows)]
