"""Sentences about the hold-out, the comparison of both models and the permutation test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import PartMetrics
from retraining_job.evaluation.permutation import PERMUTATIONS
from retraining_job.evaluation.phrases import name_champion

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence


def describe_hold_out(evidence: Evidence) -> str:
    """Return the start of a sentence: `On 5,000 hold-out events with 61 known anomalies`."""
    split = evidence.get_split()
    return f"On {split.hold_out.rows:,} hold-out events with {split.anomalies:,} known anomalies"


def describe_comparison(evidence: Evidence) -> str:
    """Return the average precision of both models, and their difference with its bounds."""
    comparison = evidence.get_comparison()
    challenger = evidence.challenger.combined.average_precision or 0.0
    metrics = evidence.champion.combined if evidence.champion else PartMetrics()
    version = evidence.champion.version if evidence.champion else None
    return (
        f"{describe_hold_out(evidence)}, the challenger's average precision is {challenger:.4f}, "
        f"that of {name_champion(version)} is {metrics.average_precision or 0.0:.4f}. The "
        f"difference is {comparison.difference:+.4f}. With {comparison.confidence:.0%} confidence "
        f"the true difference is above {comparison.lower:+.4f}, and with the same confidence below "
        f"{comparison.upper:+.4f}."
    )


def describe_failed_permutation_test(evidence: Evidence) -> str:
    """Return why the challenger may rank no better than chance.

    Returns an empty string if it ranks better, or if it was not tested.
    """
    reached = evidence.challenger.combined.average_precision or 0.0
    if evidence.best_random_precision is None or reached > evidence.best_random_precision:
        return ""
    return (
        f"But {PERMUTATIONS} random orders of the labels reach an average precision of up to "
        f"{evidence.best_random_precision:.4f}. The challenger is not shown to rank better than "
        "chance, or the labels are unrelated to the events."
    )
