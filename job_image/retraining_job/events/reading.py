"""What was found while events were read, besides the events: one value for both presets. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureFacts:
    """How one feature was read."""

    name: str
    present: int
    """Events that have the feature."""
    unusable: int
    """Of these, the events whose value is no finite number."""
    texts: int
    """Of these, the events whose value was a text that holds a finite number, and was read as that number."""


@dataclass(frozen=True)
class ReadingFacts:
    """How a run's events were read."""

    rows: int
    """Events that were read, which all figures below but `left_out` count among."""
    labelled: int
    """Events with a label that tells what they were."""
    left_out: int
    """Rows that were left out because their time cannot be used. They are not among `rows`."""
    neutral: int
    """Events without features of their own: `features_json` is null, empty or unreadable."""
    unreadable: int
    """Of these, the events whose `features_json` is there and holds no JSON object."""
    decoded: int
    """Events whose `features_json` was a JSON string that holds a JSON object, which was read."""
    features: tuple[FeatureFacts, ...]
    """One for each feature that events have of their own, sorted by name."""
