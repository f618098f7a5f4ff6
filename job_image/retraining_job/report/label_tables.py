"""Tables of the labels by alert of the champion, and of average precision by part."""

from __future__ import annotations

from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.evaluation.remarks import (
    PART_NAMES,
    describe_hidden_loss,
    describe_label_coverage,
)
from retraining_job.report.formats import (
    format_count,
    format_difference,
    format_metric,
    format_percent,
)
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.metrics_table import subtract
from retraining_job.report.table import render_table


def render_labels(evidence: Evidence) -> Markup:
    """Render the labels of events with and without an alert.

    Returns a sentence if there is no champion.
    """
    coverage = evidence.labels
    if coverage is None:
        note = "There is no champion whose alerts the labels could follow."
        return tag("p", note, class_="absent")
    rows = [
        [
            "with an alert",
            format_count(coverage.flagged),
            format_count(coverage.flagged_labelled),
            format_percent(coverage.flagged_share),
            format_count(coverage.flagged_anomalies),
        ],
        [
            "without an alert",
            format_count(coverage.unflagged),
            format_count(coverage.unflagged_labelled),
            format_percent(coverage.unflagged_share),
            format_count(coverage.unflagged_anomalies),
        ],
    ]
    heads = ["Hold-out events", "Events", "With a label", "Share", "Known anomalies"]
    return join(
        tag("p", describe_label_coverage(coverage), class_="caption"),
        render_table("Labels by alert of the champion", heads, rows, class_="settings"),
    )


def render_parts(evidence: Evidence) -> Markup:
    """Render average precision by part, and the losses that the combined score does not show."""
    hidden = {loss.part for loss in evidence.hidden}
    rows, is_known = [], False
    for part, name in PART_NAMES.items():
        champion = _get_average_precision(evidence.champion, part)
        challenger = _get_average_precision(evidence.challenger, part)
        is_known = is_known or champion is not None or challenger is not None
        remark = "worse, which the combined score does not show" if part in hidden else ""
        difference = format_difference(subtract(challenger, champion))
        rows.append([name, format_metric(champion), format_metric(challenger), difference, remark])
    if not is_known:
        note = "No average precision is known: no model was evaluated."
        return tag("p", note, class_="absent")
    heads = ["Part", "Champion", "Challenger", "Difference", ""]
    return join(
        *(tag("p", describe_hidden_loss(loss), class_="caption") for loss in evidence.hidden),
        render_table("Average precision by part", heads, rows, class_="settings"),
    )


def _get_average_precision(contender: Contender | None, part: str) -> float | None:
    metrics = getattr(contender.metrics, part) if contender else None
    return None if metrics is None else metrics.average_precision
