"""Guard on the alert rate: keep out a challenger that raises far more or far fewer alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import Alerts, EvaluationSettings, Verdict, VerdictReason, value_name
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.phrases import name_champion, name_threshold

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence

FEW_ALERTS = 10
"""If the champion raises fewer alerts in the hold-out, its alert rate is no lower bound."""


def check_alert_rate(evidence: Evidence, settings: EvaluationSettings) -> Decision | None:
    """Return a decision if the challenger raises far more or far fewer alerts than the champion.

    Too many: more than `alert_rate_factor` times the champion's rate and the alert budget. Because
    of the budget, a champion that raises hardly any alert does not keep out its successors.

    Too few: less than the champion's rate divided by the same factor, if the champion has raised at
    least `FEW_ALERTS`. Fewer alerts are accepted if recall is lower by at most the margin. If the
    challenger was calibrated for the alert budget, that budget takes the place of a greater rate of
    the champion.

    If the champion's own scores are unusable, there is nothing to compare.

    Args:
        evidence: The evidence, with a split.
        settings: The settings of the run.

    Returns:
        The decision, or None if the alert rate is acceptable.
    """
    if evidence.champion is None or not evidence.champion.usable:
        return None
    rows, factor = evidence.get_split().hold_out.rows, settings.alert_rate_factor
    challenger = evidence.challenger.combined.alert_rate or 0.0
    champion = evidence.champion.combined.alert_rate or 0.0
    if challenger > factor * max(champion, settings.alert_budget):
        limit = (
            f"more than {factor:g} times ({value_name('alert_rate_factor')}) the champion's rate "
            f"and the alert budget of {settings.alert_budget:.2%} ({value_name('alert_budget')})"
        )
    elif (
        challenger < min(champion, get_budget_target(evidence, champion)) / factor
        and champion * rows >= FEW_ALERTS
        and not has_comparable_recall(evidence, settings)
    ):
        limit = (
            f"less than the champion's rate divided by {factor:g} "
            f"({value_name('alert_rate_factor')})"
        )
    else:
        return None
    message = (
        f"At {name_threshold(evidence)} the challenger would raise an alert for "
        f"{challenger:.2%} of the {rows:,} hold-out events, "
        f"{name_champion(evidence.champion.version)} for {champion:.2%}. This is {limit}. "
        f"{_describe_threshold(evidence)}{_describe_difference(evidence)}The champion stays live."
    )
    return Decision(Verdict.KEPT, VerdictReason.ALERT_RATE, message)


def get_budget_target(evidence: Evidence, champion: float) -> float:
    """Return the alert rate that a calibration aims at if that is the budget.

    Args:
        evidence: The evidence.
        champion: The champion's alert rate.

    Returns:
        The budget, or the champion's rate if the challenger was not calibrated for the budget.
    """
    record = evidence.calibration
    if record is None or record.target_source != Alerts.BUDGET:
        return champion
    return record.target_rate


def has_comparable_recall(evidence: Evidence, settings: EvaluationSettings) -> bool:
    """Return whether the challenger's recall at the live threshold is at most a margin lower.

    Args:
        evidence: The evidence.
        settings: The settings of the run.

    Returns:
        Whether recall is comparable. False if there are too few labels for a comparison.
    """
    if evidence.champion is None or evidence.comparison is None:
        return False
    challenger = evidence.challenger.threshold_recall or 0.0
    champion = evidence.champion.threshold_recall or 0.0
    return challenger >= champion - settings.margin


def _describe_threshold(evidence: Evidence) -> str:
    matching = evidence.challenger.matching_threshold
    if matching is None:
        return ""
    return f"With a threshold of {matching:.8g} it would raise as many as the champion. "


def _describe_difference(evidence: Evidence) -> str:
    if evidence.comparison is None:
        return ""
    difference = evidence.comparison.difference
    return f"Its average precision differs from the champion's by {difference:+.4f}. "
