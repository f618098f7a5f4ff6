"""Guards before the promotion policy: the shape of the input, and the labels.

Metrics count only if the events are of the same kind as those that the champion was trained on, and
if the labels do not depend on the champion's alerts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import Verdict, VerdictReason
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.labels import (
    LABELLED_SHARE,
    estimate_missed_anomalies,
    has_labels_of_alerts_only,
    has_unchecked_normal_labels,
)
from retraining_job.evaluation.phrases import format_share

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence
    from retraining_job.evaluation.input_change import InputChange

ACCEPT_CHANGE = (
    "If the change is intended, create a RetrainRequest with acceptInputChange: true. "
    "If it is not, correct the program that writes the events."
)

LABEL_SAMPLE = (
    f"Label a random sample of the events without an alert, at least {LABELLED_SHARE:.0%} of them."
)


def check_input(evidence: Evidence) -> Decision | None:
    """Return a decision if the shape of the input stops the promotion, else None."""
    return None if evidence.input is None else decide_on_input(evidence.input)


def decide_on_input(change: InputChange) -> Decision | None:
    """Return a decision if a change of the input stops the promotion, else None."""
    if not change.stops:
        return None
    if not change.has_champion:
        message = f"{change.beyond} There is no live model, and the challenger is not promoted."
        return Decision(Verdict.UNFIT, VerdictReason.INPUT_UNREADABLE, message)
    message = f"The input has changed. {change.beyond} The champion stays live. {ACCEPT_CHANGE}"
    return Decision(Verdict.KEPT, VerdictReason.INPUT_CHANGED, message)


def check_labels(evidence: Evidence) -> Decision | None:
    """Return a decision if the labels follow the champion's alerts, else None."""
    coverage = evidence.labels
    if coverage is None:
        return None
    if has_labels_of_alerts_only(coverage):
        why = (
            f"Only {format_share(coverage.unflagged_labelled, coverage.unflagged)} hold-out events "
            f"without an alert of the champion have a label ({LABELLED_SHARE:.0%} are needed), but "
            f"{format_share(coverage.flagged_labelled, coverage.flagged)} with an alert. Anomalies "
            "that the champion misses are not among the labels, so the labels cannot show whether "
            "the challenger is better."
        )
    elif has_unchecked_normal_labels(coverage):
        why = (
            f"None of the {coverage.unflagged:,} hold-out events without an alert of the champion "
            f"is labelled as an anomaly, but {coverage.flagged_anomalies:,} of the "
            f"{coverage.flagged:,} with an alert are, {coverage.lower_anomalies:,} of them in the "
            f"lower-scored half. About {estimate_missed_anomalies(coverage):.0f} anomalies without "
            "an alert would be expected. Events without an alert seem to be labelled as normal "
            "without a check."
        )
    else:
        return None
    message = f"{why} {LABEL_SAMPLE}"
    return Decision(Verdict.INCONCLUSIVE, VerdictReason.LABELS_FOLLOW_ALERTS, message)
