"""Phrases that several messages share: names of features, lists, and counts with their share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence

PHRASES_LISTED = 3
"""A message lists this many items and counts the others."""

PRINTED_NAME_CHARACTERS = 40
"""A longer feature name is cut in messages."""


def list_first(phrases: Iterable[str]) -> str:
    """Return the first three phrases, and the number of the others: `a, b, c and 2 more`."""
    every = list(phrases)
    more = f" and {len(every) - PHRASES_LISTED:,} more" if len(every) > PHRASES_LISTED else ""
    return f"{', '.join(every[:PHRASES_LISTED])}{more}"


def format_feature_name(name: str) -> str:
    """Return a feature's name in a form that is safe in a message: short and printable."""
    short = name
    if len(name) > PRINTED_NAME_CHARACTERS:
        short = f"{name[:PRINTED_NAME_CHARACTERS]}..."
    return short if short.isprintable() else repr(short)


def format_share(count: int, total: int, noun: str = "") -> str:
    """Return a count with its share of the total: `12 of 4,000 events (0.3%)`.

    Args:
        count: The count.
        total: At least 1.
        noun: What is counted, in the plural. May be empty.

    Returns:
        The phrase.
    """
    counted = f"{count:,} of {total:,} {noun}".rstrip()
    return f"{counted} ({count / total:.1%})"


def name_champion(version: int | None) -> str:
    """Return `the champion (version 7)`, or `the champion` if the version is unknown."""
    return "the champion" if version is None else f"the champion (version {version})"


def name_threshold(evidence: Evidence) -> str:
    """Return the challenger's threshold as a phrase: the live one, or the one it publishes."""
    kind = "live" if evidence.challenger.published_threshold is None else "published"
    return f"the {kind} threshold of {evidence.challenger_threshold:g}"
