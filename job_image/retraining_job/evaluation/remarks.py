"""Remarks: findings that do not influence the verdict, in sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining_job.contract import VerdictReason
from retraining_job.evaluation.calibration_messages import describe_calibration
from retraining_job.evaluation.phrases import format_share

if TYPE_CHECKING:
    from retraining_job.evaluation.decision import Decision
    from retraining_job.evaluation.evidence import Evidence, HiddenLoss, LabelCoverage
    from retraining_job.evaluation.input_change import InputChange

PART_NAMES = {"hst": "forest", "sad": "deviation score"}


def add_remarks(decision: Decision, evidence: Evidence) -> Decision:
    """Return a decision with its remarks: calibration, hidden losses, input, and how it was read.

    Args:
        decision: The decision.
        evidence: The evidence.

    Returns:
        The decision with the remarks.
    """
    observed = evidence.challenger.combined.alert_rate
    sentences = describe_calibration(evidence.calibration, observed)
    sentences += [describe_hidden_loss(loss) for loss in evidence.hidden]
    if evidence.input is not None:
        sentences += build_input_remarks(evidence.input, decision.reason)
    return replace(decision, remarks=" ".join([*sentences, *evidence.reading]))


def build_input_remarks(change: InputChange, reason: str) -> list[str]:
    """Build the sentences about the input, unless the verdict itself is about the input.

    Args:
        change: The change of the input.
        reason: The reason of the verdict.

    Returns:
        The sentences.
    """
    if reason in {VerdictReason.INPUT_CHANGED, VerdictReason.INPUT_UNREADABLE}:
        return []
    sentences = []
    if change.beyond:
        sentences.append(f"A change of the input was accepted: {change.beyond}")
    if change.noticed:
        sentences.append(change.noticed)
    return sentences


def describe_hidden_loss(loss: HiddenLoss) -> str:
    """Return a sentence about a part that is worse although the combined score is not."""
    change = loss.challenger - loss.champion
    return (
        f"The {PART_NAMES.get(loss.part, loss.part)} alone is worse, which the combined score does "
        f"not show: its average precision is {loss.challenger:.4f}, the champion's "
        f"{loss.champion:.4f} ({change:+.4f})."
    )


def describe_label_coverage(coverage: LabelCoverage) -> str:
    """Return a sentence about the labels of events with and without an alert."""
    if not coverage.flagged:
        return "The champion raises no alert for the hold-out events."
    if not coverage.unflagged:
        return "The champion raises an alert for all hold-out events."
    return (
        f"{format_share(coverage.flagged_labelled, coverage.flagged)} events with an alert of the "
        f"champion have a label, and "
        f"{format_share(coverage.unflagged_labelled, coverage.unflagged)} events without an alert."
    )
