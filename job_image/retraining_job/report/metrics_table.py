"""Table of the metrics of both models: of the combined score and of each part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from retraining_job.contract import PartMetrics
from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.report.formats import (
    drop_non_finite,
    format_difference,
    format_metric,
    format_percent,
    format_points,
)
from retraining_job.report.markup import Markup, tag
from retraining_job.report.roles import describe_budget, describe_thresholds
from retraining_job.report.table import render_heads, render_row, wrap_table

SCORES = {
    "combined": "Combined score, as the live service computes it",
    "hst": "Forest alone (HST)",
    "sad": "Deviation score alone (SAD)",
}

Format = Callable[[float | None], str]


class Metric(NamedTuple):
    """A row of the table."""

    field: str
    """Its field in the metrics of a part."""
    name: str
    format_value: Format
    format_change: Format


def render_metrics(evidence: Evidence) -> Markup:
    """Render the metrics of both models. Returns a sentence if there are none."""
    metrics = build_metrics(evidence)
    bodies = [_render_score(evidence, score, metrics) for score in SCORES]
    bodies.append(_render_accuracy(evidence))
    bodies = [body for body in bodies if body]
    if not bodies:
        return tag("p", "There are no metrics: no model was evaluated.", class_="absent")
    heads = render_heads(["Metric", "Champion", "Challenger", "Difference"])
    return wrap_table("Metrics of both models", tag("table", heads, *bodies, class_="metrics"))


def build_metrics(evidence: Evidence) -> list[Metric]:
    """Build the rows of the table, with the alert budget and the threshold in their names."""
    budget, threshold = describe_budget(evidence), describe_thresholds(evidence)
    rate = f"alert rate above {threshold}"
    return [
        Metric("average_precision", "average precision", format_metric, format_difference),
        Metric("roc_auc", "ROC AUC", format_metric, format_difference),
        Metric("budget_precision", f"precision {budget}", format_metric, format_difference),
        Metric("budget_recall", f"recall {budget}", format_metric, format_difference),
        Metric("alert_rate", rate, format_percent, format_points),
    ]


def subtract(after: float | None, before: float | None) -> float | None:
    """Return a difference.

    Args:
        after: The minuend.
        before: The subtrahend.

    Returns:
        The difference, or None if one of them is unknown.
    """
    return None if after is None or before is None else after - before


def _render_score(evidence: Evidence, score: str, metrics: Sequence[Metric]) -> Markup:
    of_champion = getattr(evidence.champion.metrics, score) if evidence.champion else None
    of_challenger = getattr(evidence.challenger.metrics, score)
    if of_champion is None and of_challenger is None:
        return Markup("")
    rows = []
    for metric in metrics:
        champion = _get_metric(of_champion, metric.field)
        challenger = _get_metric(of_challenger, metric.field)
        difference = metric.format_change(subtract(challenger, champion))
        values = [metric.format_value(value) for value in (champion, challenger)]
        rows.append([metric.name, *values, difference])
    return _render_body(SCORES[score], rows)


def _get_metric(metrics: PartMetrics | None, field: str) -> float | None:
    return drop_non_finite(getattr(metrics, field)) if metrics else None


def _render_accuracy(evidence: Evidence) -> Markup:
    champion, challenger = _get_accuracy(evidence.champion), _get_accuracy(evidence.challenger)
    if champion is None and challenger is None:
        return Markup("")
    title = f"Combined score at the threshold {describe_thresholds(evidence)}"
    difference = format_difference(subtract(challenger, champion))
    row = ["accuracy", format_metric(champion), format_metric(challenger), difference]
    return _render_body(title, [row])


def _get_accuracy(contender: Contender | None) -> float | None:
    return drop_non_finite(contender.metrics.precision) if contender else None


def _render_body(title: str, rows: Sequence[Sequence[str]]) -> Markup:
    head = tag("tr", tag("th", title, colspan=4, scope="rowgroup"), class_="group")
    return tag("tbody", head, *(render_row(row) for row in rows))
