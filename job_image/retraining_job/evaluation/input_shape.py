"""The shape of a model's input: which features events have, and how often as a usable number. Pure.

It is recorded in the manifest of each model that goes live, and compared with the events of every
later run. No numpy here: whoever reads a manifest reads this.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field

FEATURES_LIMIT = 1_000
"""Features that a shape records; `columns` refuses events with more."""

NAME_LIMIT_CHARACTERS = 200
"""A feature with a longer name is not recorded, so that the manifest stays small."""

DECIMALS = 4

Share = float
"""From 0 to 1."""


class FeatureShape(BaseModel):
    """How often events have one feature as a usable number.

    Shares are of events, not of the events that have the feature.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    usable: Share = Field(ge=0.0, le=1.0)
    """Of all events that were read."""
    newest: Share = Field(ge=0.0, le=1.0)
    """Of the newest events, which judged."""
    lowest: Share = Field(ge=0.0, le=1.0)
    """Of the stretch of time in which it was lowest."""
    varies: bool = True
    """Whether the newest events have more than one value of it."""


class InputShape(BaseModel):
    """The shape of the events of one run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    events: int = Field(ge=0)
    newest: int = Field(default=0, ge=0)
    """How many of them are the newest, which judged."""
    own: Share = Field(default=1.0, ge=0.0, le=1.0)
    """The share of events with features of their own: `features_json` held a JSON object."""
    unreadable: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of events whose `features_json` is there and holds no JSON object."""
    decoded: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of events whose `features_json` was a JSON string that holds a JSON object."""
    texts: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of usable values that were numbers written as text."""
    labelled: Share = Field(default=0.0, ge=0.0, le=1.0)
    """The share of events whose label is known."""
    features: dict[str, FeatureShape] = Field(default={}, max_length=FEATURES_LIMIT)


class Step(BaseModel):
    """A lasting fall of a share within the events of one run: all later stretches are below all earlier ones."""

    model_config = ConfigDict(frozen=True)

    before: Share
    """The lowest share of the earlier stretches."""
    after: Share
    """The highest share of the later ones."""
    events: int
    """How many events the later stretches have."""


class InputMeasurement(BaseModel):
    """The shape of a run's events, and where it broke within them."""

    model_config = ConfigDict(frozen=True)

    shape: InputShape
    steps: dict[str, Step] = {}
    """By feature, for those that have a lasting fall."""


def find_lasting_fall(usable: list[int], rows: list[int]) -> Step | None:
    """Find the greatest lasting fall of a share; None where there is none.

    Args:
        usable: For each stretch, oldest first, the events that have the feature as a usable number.
        rows: For each stretch, its events; at least 1.
    """
    shares = [count / size for count, size in zip(usable, rows, strict=True)]
    found: Step | None = None
    for place in range(1, len(shares)):
        before, after = min(shares[:place]), max(shares[place:])
        if before > after and (found is None or before - after > found.before - found.after):
            found = Step(
                before=round(before, DECIMALS),
                after=round(after, DECIMALS),
                events=sum(rows[place:]),
            )
    return found


def feature_shape(usable: list[int], rows: list[int], *, varies: bool) -> FeatureShape:
    """Compute the shape of one feature from counts by stretch of time.

    Args:
        usable: For each stretch, oldest first, the events that have it as a usable number. The
            last stretch is the newest events, which judge.
        rows: For each stretch, its events; at least 1.
        varies: Whether the newest events have more than one value of it.
    """
    shares = [count / size for count, size in zip(usable, rows, strict=True)]
    return FeatureShape(
        usable=round(sum(usable) / sum(rows), DECIMALS),
        newest=round(shares[-1], DECIMALS),
        lowest=round(min(shares), DECIMALS),
        varies=varies,
    )


def split_into_periods(rows: int, newest_start: int, count: int = 9) -> list[slice]:
    """Compute the stretches of time that shares are compared over: equal in rows, then the newest.

    Args:
        rows: Events, oldest first; at least 1.
        newest_start: Where the newest events start, which judge.
        count: How many stretches the older events are cut into, at most.
    """
    parts = min(count, newest_start)
    ends = [round(newest_start * part / parts) for part in range(parts + 1)] if parts else []
    older = [slice(start, end) for start, end in pairwise(ends)]
    return [*older, slice(newest_start, rows)]
