"""The table of a calibration: the candidates, and which of them was chosen."""

from __future__ import annotations

from retraining_job.evaluation.calibration_messages import describe_calibration, describe_form
from retraining_job.evaluation.evidence import Evidence
from retraining_job.report.formats import NONE, format_count, format_metric, format_percent
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.table import render_table


def render_calibration(evidence: Evidence) -> Markup:
    """Render the candidates of the calibration, the chosen one marked."""
    record = evidence.calibration
    if record is None:
        return tag("p", "The challenger was not calibrated.", class_="absent")
    observed = evidence.challenger.combined.alert_rate
    rows = [
        [
            "chosen" if index == record.chosen else "",
            f"{candidate.n_trees} x {candidate.height}",
            format_count(candidate.window_size),
            format_count(candidate.features),
            describe_form(candidate),
            format_metric(candidate.average_precision),
            format_percent(candidate.alert_rate),
            "yes" if candidate.reached else "no",
        ]
        for index, candidate in enumerate(record.candidates)
    ]
    rows.append(
        [
            "",
            "configured, not calibrated",
            NONE,
            NONE,
            NONE,
            format_metric(record.plain_average_precision),
            format_percent(record.plain_alert_rate),
            NONE,
        ]
    )
    heads = [
        "",
        "Trees x height",
        "Window",
        "Features",
        "Deviation score",
        "Average precision",
        "Alert rate",
        "Target reached",
    ]
    return join(
        tag("p", " ".join(describe_calibration(record, observed)), class_="caption"),
        render_table("Calibration", heads, rows, class_="settings"),
    )
