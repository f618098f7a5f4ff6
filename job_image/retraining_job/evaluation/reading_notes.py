"""What was found while events were read, in sentences for message, log, evidence and report.

Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining_job.evaluation.input_change import listed, shown

if TYPE_CHECKING:
    from retraining_job.evaluation.decision import Decision
    from retraining_job.events.reading import ReadingFacts


def describe_reading(facts: ReadingFacts) -> list[str]:
    """Return a sentence for each kind of trouble that was found; none if there was none."""
    sentences = []
    if facts.left_out:
        sentences.append(
            f"{facts.left_out:,} rows were left out because their time cannot be used."
        )
    if facts.unreadable:
        sentences.append(
            f"{part_of(facts.unreadable, facts.rows)} have a features_json that holds no JSON object; they were read "
            "without it."
        )
    if facts.decoded:
        sentences.append(
            f"{part_of(facts.decoded, facts.rows)} have a features_json that is a JSON string; "
            "the object in it was read."
        )
    texts = sorted((one for one in facts.features if one.texts), key=lambda one: -one.texts)
    if texts:
        counts = listed(f"{shown(one.name)} in {one.texts:,} events" for one in texts)
        sentences.append(f"Numbers written as text were read as numbers: {counts}.")
    return sentences


def part_of(count: int, rows: int) -> str:
    """Return a count of events with its share."""
    return f"{count:,} of {rows:,} events ({count / rows:.1%})"


def add_reading_remarks(decision: Decision, facts: ReadingFacts | None) -> Decision:
    """Add the sentences to a decision's remarks."""
    sentences = describe_reading(facts) if facts else []
    return replace(decision, remarks=" ".join([decision.remarks, *sentences]).strip())
