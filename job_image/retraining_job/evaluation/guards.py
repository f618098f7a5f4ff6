"""Guards in front of the policy: the shape of the input, and the labels. Pure.

Figures count only if the events are of the same kind as those the champion was made for, and if the
labels do not depend on the champion's own alerts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining_job.contract import Verdict, VerdictReason
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.labels import (
    LABELLED_SHARE,
    expected_missed,
    only_alerts,
    rest_as_normal,
)

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence, HiddenLoss, LabelCoverage

PARTS = {"hst": "forest", "sad": "deviation score"}

ACCEPT = (
    "If the change is intended, apply a RetrainRequest with acceptInputChange: true; "
    "if it is not, correct what writes the events."
)

SAMPLE = "Label a random sample of the events without an alert, at least 20 % of them."


def check_input(evidence: Evidence) -> Decision | None:
    """Decide on the shape of the input alone; None if it does not stop a promotion."""
    return None if evidence.input is None else decide_on_input(evidence.input)


def decide_on_input(change: InputChange) -> Decision | None:
    """Decide on a change of the input, for either preset; None if it does not stop a promotion."""
    if not change.stops:
        return None
    if not change.has_champion:
        message = f"{change.beyond} There is no live model, and none goes live."
        return Decision(Verdict.UNFIT, VerdictReason.INPUT_UNREADABLE, message)
    message = f"The input has changed. {change.beyond} The champion stays. {ACCEPT}"
    return Decision(Verdict.KEPT, VerdictReason.INPUT_CHANGED, message)


def check_labels(evidence: Evidence) -> Decision | None:
    """Decide on labels that follow the champion's alerts; None if they do not, or if it is not known."""
    coverage = evidence.labels
    if coverage is None:
        return None
    if only_alerts(coverage):
        why = (
            f"Only {share(coverage.unflagged_labelled, coverage.unflagged)} held-out events without an alert of the "
            f"champion have a label ({LABELLED_SHARE:.0%} are needed), and "
            f"{share(coverage.flagged_labelled, coverage.flagged)} with one. Anomalies that the champion misses are "
            "not among the labels, so they cannot tell whether the challenger is better."
        )
    elif rest_as_normal(coverage):
        why = (
            f"None of the {coverage.unflagged:,} held-out events without an alert of the champion is labelled as an "
            f"anomaly, and {coverage.flagged_anomalies:,} of the {coverage.flagged:,} with one are, "
            f"{coverage.lower_anomalies:,} of them in the half with the lower scores: about "
            f"{expected_missed(coverage):.0f} would be expected. Events without an alert seem to be labelled as normal "
            "although nobody has looked at them."
        )
    else:
        return None
    return Decision(Verdict.INCONCLUSIVE, VerdictReason.LABELS_FOLLOW_ALERTS, f"{why} {SAMPLE}")


def share(count: int, of: int) -> str:
    """Return a count with its share: `12 of 4,000 (0.3%)`."""
    return f"{count:,} of {of:,} ({count / of:.1%})"


def add_remarks(decision: Decision, evidence: Evidence) -> Decision:
    """Add what does not decide, and must not be overlooked."""
    said = [hidden_sentence(loss) for loss in evidence.hidden]
    if evidence.input is not None:
        said += build_input_remarks(evidence.input, decision.reason)
    return replace(decision, remarks=" ".join([*said, *evidence.reading]))


def build_input_remarks(change: InputChange, reason: str) -> list[str]:
    """Return what the message says of the input, unless the verdict is about it."""
    if reason in {VerdictReason.INPUT_CHANGED, VerdictReason.INPUT_UNREADABLE}:
        return []
    accepted = [f"A change of the input was accepted: {change.beyond}"] if change.beyond else []
    return [*accepted, *filter(None, [change.noticed])]


def hidden_sentence(loss: HiddenLoss) -> str:
    """Return a sentence if a part got worse while the combined score hides it."""
    changed = loss.challenger - loss.champion
    return (
        f"The {PARTS.get(loss.part, loss.part)} alone got worse, which the combined score hides: "
        f"its average precision is {loss.challenger:.4f}, the champion's {loss.champion:.4f} ({changed:+.4f})."
    )


def labels_sentence(coverage: LabelCoverage) -> str:
    """Describe how labels are spread, for the report."""
    if not coverage.flagged or not coverage.unflagged:
        return "The champion raises an alert for all of the held-out events, or for none."
    return (
        f"{share(coverage.flagged_labelled, coverage.flagged)} events with an alert of the champion have a label, "
        f"{share(coverage.unflagged_labelled, coverage.unflagged)} without one."
    )
