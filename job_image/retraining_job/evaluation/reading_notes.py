"""Sentences about what was found while the events were read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining_job.evaluation.phrases import format_feature_name, format_share, list_first

if TYPE_CHECKING:
    from retraining_job.evaluation.decision import Decision
    from retraining_job.events.reading import ReadingFacts


def describe_reading(facts: ReadingFacts) -> list[str]:
    """Return one sentence for each kind of problem that was found."""
    sentences = []
    if facts.left_out:
        sentences.append(
            f"{facts.left_out:,} rows were left out because their time cannot be used."
        )
    if facts.unreadable:
        sentences.append(
            f"{format_share(facts.unreadable, facts.rows, 'events')} have a features_json that "
            "does not hold a JSON object. They were read without it."
        )
    if facts.decoded:
        sentences.append(
            f"{format_share(facts.decoded, facts.rows, 'events')} have a features_json that is a "
            "JSON string. The object in the string was read."
        )
    with_texts = [feature for feature in facts.features if feature.texts]
    with_texts.sort(key=lambda feature: -feature.texts)
    if with_texts:
        counts = list_first(
            f"{format_feature_name(feature.name)} in {feature.texts:,} events"
            for feature in with_texts
        )
        sentences.append(f"Numbers written as text were read as numbers: {counts}.")
    return sentences


def add_reading_remarks(decision: Decision, facts: ReadingFacts | None) -> Decision:
    """Return a decision with the sentences about reading added to its remarks.

    Args:
        decision: The decision.
        facts: The counts of reading. None if the events were not read.

    Returns:
        The decision.
    """
    sentences = describe_reading(facts) if facts else []
    return replace(decision, remarks=" ".join([decision.remarks, *sentences]).strip())
