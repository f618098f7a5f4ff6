"""How the events of a run were read: the same counts for both presets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureFacts:
    """How one feature was read."""

    name: str
    present: int
    """Events that have the feature."""
    unusable: int
    """Of these, the events whose value is not a finite number."""
    texts: int
    """Of these, the events whose value is a text that contains a finite number, which was used."""


@dataclass(frozen=True)
class ReadingFacts:
    """How a run's events were read."""

    rows: int
    """Events that were read. All counts below except `left_out` are among them."""
    labelled: int
    """Events with a label that states the truth."""
    left_out: int
    """Rows that were left out because their time cannot be used. They are not among `rows`."""
    neutral: int
    """Events without features of their own: `features_json` is null, empty or unreadable."""
    unreadable: int
    """Of these, the events whose `features_json` is present, but contains no JSON object."""
    decoded: int
    """Events whose `features_json` is a JSON string that contains a JSON object, which was used."""
    features: tuple[FeatureFacts, ...]
    """One for each feature that events have of their own, sorted by name."""
